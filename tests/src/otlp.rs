//! A collector for traces, in the test's own process.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::Span,
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A span and the service it came from.
#[derive(Debug, Clone)]
pub struct Collected {
    /// `service.name` of the resource.
    pub service: String,
    /// The span.
    pub span: Span,
}

/// Takes whatever services send.
#[derive(Debug, Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<Collected>>>);

impl Collector {
    /// Opens a port on loopback; answers the collector and its address.
    pub async fn start() -> anyhow::Result<(Self, SocketAddr)> {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = TraceServiceServer::new(collector.clone());
        let incoming = TcpIncoming::from(listener);
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        Ok((collector, address))
    }

    /// Spans of one trace, by its 32 hexadecimal digits.
    pub fn trace(&self, id: &str) -> Vec<Collected> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = u128::from_str_radix(id, 16).ok();
        let id_of = |span: &Span| span.trace_id.as_slice().try_into().ok().map(u128::from_be_bytes);
        spans.iter().filter(|collected| id_of(&collected.span) == wanted && wanted.is_some()).cloned().collect()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|r| r.attributes).unwrap_or_default();
            let name = attributes.into_iter().find(|a| a.key == "service.name").and_then(|a| a.value?.value);
            let service = match name {
                Some(Value::StringValue(name)) => name,
                _ => String::new(),
            };
            let of_scope = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(of_scope.map(|span| Collected { service: service.clone(), span }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
