//! What S3 calls a request (Amazon S3 API Reference, "Actions").

use http::{HeaderMap, Method, Uri};

/// The operation's name and `bucket/key`, for path-style addresses; of a listing `bucket?prefix=…`.
pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> (&'static str, String) {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let mut path = path.trim_start_matches('/').to_owned();
    let query = uri.query().unwrap_or_default();
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let copies = headers.contains_key("x-amz-copy-source");
    let in_bucket = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let name = match (path.is_empty(), in_bucket) {
        (true, _) => {
            if method == Method::GET {
                "ListBuckets"
            } else {
                "Other"
            }
        }
        (false, false) => of_bucket(method, asks),
        (false, true) => of_object(method, asks, copies),
    };
    if let Some(prefix) = query.split('&').find(|pair| pair.starts_with("prefix=")) {
        path.push('?');
        path.push_str(&percent_encoding::percent_decode_str(prefix).decode_utf8_lossy());
    }
    (name, path)
}

fn of_bucket(method: &Method, asks: impl Fn(&str) -> bool) -> &'static str {
    match method.as_str() {
        "HEAD" => "HeadBucket",
        "GET" if asks("uploads") => "ListMultipartUploads",
        "GET" if asks("versions") => "ListObjectVersions",
        "GET" if asks("object-lock") => "GetObjectLockConfiguration",
        "GET" if asks("versioning") => "GetBucketVersioning",
        "GET" if asks("location") => "GetBucketLocation",
        "GET" if asks("list-type") => "ListObjectsV2",
        "GET" => "ListObjects",
        "PUT" if asks("object-lock") => "PutObjectLockConfiguration",
        "PUT" if asks("versioning") => "PutBucketVersioning",
        "PUT" => "CreateBucket",
        "POST" if asks("delete") => "DeleteObjects",
        "DELETE" => "DeleteBucket",
        _ => "Other",
    }
}

fn of_object(method: &Method, asks: impl Fn(&str) -> bool, copies: bool) -> &'static str {
    match method.as_str() {
        "HEAD" => "HeadObject",
        "GET" if asks("uploadId") => "ListParts",
        "GET" if asks("retention") => "GetObjectRetention",
        "GET" if asks("legal-hold") => "GetObjectLegalHold",
        "GET" if asks("attributes") => "GetObjectAttributes",
        "GET" => "GetObject",
        "PUT" if asks("partNumber") && copies => "UploadPartCopy",
        "PUT" if asks("partNumber") => "UploadPart",
        "PUT" if asks("retention") => "PutObjectRetention",
        "PUT" if asks("legal-hold") => "PutObjectLegalHold",
        "PUT" if copies => "CopyObject",
        "PUT" => "PutObject",
        "POST" if asks("uploads") => "CreateMultipartUpload",
        "POST" if asks("uploadId") => "CompleteMultipartUpload",
        "DELETE" if asks("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_names_of_the_reference() {
        for (method, uri, name, key) in [
            ("GET", "/", "ListBuckets", ""),
            ("HEAD", "/", "Other", ""),
            ("GET", "/b?list-type=2&prefix=x", "ListObjectsV2", "b?prefix=x"),
            ("GET", "/b/?versions&prefix=a%2Fc", "ListObjectVersions", "b/?prefix=a/c"),
            ("POST", "/b/a/c?uploads", "CreateMultipartUpload", "b/a/c"),
            ("PUT", "/b/a/c?x-id=UploadPart&partNumber=1&uploadId=u", "UploadPart", "b/a/c"),
            ("GET", "/b/a%20c?uploadId=u", "ListParts", "b/a c"),
            ("POST", "/b/a?uploadId=u", "CompleteMultipartUpload", "b/a"),
            ("DELETE", "/b/a?uploadId=u", "AbortMultipartUpload", "b/a"),
            ("PUT", "/b/a?retention&versionId=v", "PutObjectRetention", "b/a"),
            ("PUT", "/b/a?legal-hold", "PutObjectLegalHold", "b/a"),
            ("PUT", "/b/a?x-id=PutObject", "PutObject", "b/a"),
            ("GET", "/b/a?attributes", "GetObjectAttributes", "b/a"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("method");
            let found = of(&method, &uri.parse().expect("uri"), &HeaderMap::new());
            assert_eq!(found, (name, key.to_owned()), "{method} {uri}");
        }
    }
}
