"""Uploads a file with tuspy, as a third party's dock would: nothing here knows of Custos but the metadata.

    push.py [--checksum] [--chunk BYTES] [--resume UPLOAD] [--stop-at BYTE] URL FILE KEY=VALUE…

URL is that of ingest. The station's certificate comes from CUSTOS_PLAIN_CERT and CUSTOS_PLAIN_KEY, the authority from CUSTOS_CA. Prints the upload's
address; ends with 1 and the server's words when it is refused.
"""

import argparse
import os
import sys

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

# requests takes the authority from here.
os.environ["REQUESTS_CA_BUNDLE"] = os.environ["CUSTOS_CA"]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--checksum", action="store_true", help="send Upload-Checksum with each chunk")
parser.add_argument("--chunk", type=int, default=sys.maxsize, help="bytes in one request")
parser.add_argument("--resume", help="go on with this upload")
parser.add_argument("--stop-at", type=int, help="send no more than this many bytes of the file")
parser.add_argument("url")
parser.add_argument("file")
parser.add_argument("metadata", nargs="*", metavar="KEY=VALUE")
args = parser.parse_args()

client = TusClient(f"{args.url}/v1/uploads", client_cert=(os.environ["CUSTOS_PLAIN_CERT"], os.environ["CUSTOS_PLAIN_KEY"]))
try:
    uploader = client.uploader(
        args.file,
        url=args.resume,
        chunk_size=args.chunk,
        metadata=dict(pair.split("=", 1) for pair in args.metadata),
        retries=20,
        retry_delay=0.1,
        upload_checksum=args.checksum,
    )
    uploader.upload(stop_at=args.stop_at)
except TusCommunicationError as error:
    print(error.status_code, (error.response_content or b"").decode(errors="replace"), error, file=sys.stderr)
    sys.exit(1)
print(uploader.url)
