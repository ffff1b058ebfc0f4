//! The flag of the metrics endpoint.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::Error;
use crate::measures::Measures;
use crate::metrics;
use crate::output::remark;
use crate::relay::Guard;

/// Requests served at once.
const AT_ONCE: usize = 8;

/// Where metrics are served.
#[derive(clap::Args, Clone, Debug)]
pub struct Metrics {
    /// Serve metrics for Prometheus at http://ADDR:PORT/metrics
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
}

impl Metrics {
    /// Begins to serve `measures`, to this machine and to the networks of `allow`. Where others can reach the
    /// address, it must have been opened to them.
    pub async fn serve(
        &self,
        measures: Option<&Measures>,
        open: bool,
        allow: &[(IpAddr, u8)],
    ) -> Result<(), Error> {
        let (Some(address), Some(measures)) = (self.metrics, measures) else { return Ok(()) };
        if !address.ip().is_loopback() && (!open || allow.is_empty()) {
            return Err(Error::Unsafe(format!(
                "--metrics {address} can be reached by others; say --allow-remote with --allow CIDR to open it"
            )));
        }
        let unusable = |source| Error::Metrics { address, source };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let bound = listener.local_addr().map_err(unusable)?;
        remark(&format!("metrics at http://{bound}/metrics"));
        let guard = Guard::new(allow.to_vec(), usize::MAX);
        tokio::spawn(metrics::serve(listener, measures.clone(), guard, AT_ONCE));
        Ok(())
    }
}
