//! STUB
#![allow(missing_docs, missing_debug_implementations)]
use crate::cad::rest::CadRest;
use crate::clock::Clock;
use crate::discord::rest::{Me, Rest};
use crate::ids::*;
use crate::ingest::Request;
use crate::metrics::Metrics;
use crate::status::Status;
use crate::store::Store;
pub struct Data {
    pub store: Store,
    pub clock: Clock,
    pub status: Status,
    pub metrics: Metrics,
    pub rest: Rest,
    pub cad: Option<CadRest>,
    pub requests: tokio::sync::mpsc::Sender<Request>,
    pub facts: Facts,
}
pub struct Facts {
    pub community: CommunityId,
    pub servers: Vec<ServerId>,
    pub hub: bool,
    pub listen: Vec<std::net::SocketAddr>,
    pub bot: Me,
}
pub mod framework {
    pub async fn run(
        _d: super::Data,
        _g: Option<crate::ids::GuildId>,
        tasks: crate::shutdown::Tasks,
        readiness: crate::ops::Readiness,
    ) -> anyhow::Result<()> {
        readiness.ready(crate::ops::Part::Discord);
        tasks.draining().await;
        Ok(())
    }
}
