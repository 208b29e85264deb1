//! client: how this process talks to the API server. Layers of our own around kube's client, from the outside in:
//!
//! ```text
//! Observed   counts requests by verb and code; notes each list and watch that worked, for /livez
//! Gate       refuses to write unless this process leads
//! Escape     writes what is applied so that it can be read as YAML
//! Deadline   ends what takes too long; kube's own client waits for ever
//! ```
//!
//! kube's retries are off: a reconciliation that failed is tried again as a whole, with its own backoff, and must
//! never sleep in the middle for minutes.

mod deadline;
mod escape;
mod gate;
mod observed;
mod verb;

use http::{Request, Response};
use kube::{
    Config,
    client::{Body, ClientBuilder, DynBody},
};
use tower::{BoxError, ServiceExt, layer::layer_fn, util::BoxService};

use self::{deadline::Deadline, escape::Escape, gate::Gate, observed::Observed};
pub use self::{gate::NotLeader, observed::Contact, verb::Verb};
use crate::{lease::Leadership, metrics::Metrics};

/// A request as kube's layers pass it on.
pub type Call = Request<Body>;
/// An answer as kube's layers pass it on.
pub type Answer = Response<Box<DynBody>>;
/// Everything below a layer.
pub type Service = BoxService<Call, Answer, BoxError>;
/// An answer that is awaited.
type Pending = futures_util::future::BoxFuture<'static, Result<Answer, BoxError>>;

/// What the layers note, and what they ask.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    /// Counters and gauges.
    pub metrics: Metrics,
    /// When the API server was last of use.
    pub contact: Contact,
    /// Whether this process may write.
    pub leadership: Leadership,
}

/// A client with our layers; more can be put around it before it is built.
pub fn builder(
    config: Config,
    instruments: &Instruments,
) -> Result<ClientBuilder<Service>, kube::Error> {
    Ok(layered(transport(config)?, instruments))
}

/// The way to the API server without our layers.
pub fn transport(mut config: Config) -> Result<ClientBuilder<Service>, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(deadline::CONNECT);
    ClientBuilder::try_from(config)
}

/// Our layers around a way to the API server.
pub fn layered<S>(transport: ClientBuilder<S>, instruments: &Instruments) -> ClientBuilder<Service>
where
    S: tower::Service<Call, Response = Answer, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
{
    let Instruments { metrics, contact, leadership } = instruments.clone();
    transport
        .with_layer(&layer_fn(Deadline::new))
        .with_layer(&layer_fn(Escape::new))
        .with_layer(&layer_fn(|inner| Gate::new(inner, leadership.clone())))
        .with_layer(&layer_fn(|inner| Observed::new(inner, metrics.clone(), contact.clone())))
        .with_layer(&layer_fn(|inner| {
            BoxService::new(ServiceExt::<Call>::map_err(inner, Into::into))
        }))
}
