//! The flag of the metrics endpoint.

use std::net::SocketAddr;

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
    /// Begins to serve `measures`, to whom the guard of the relay admits. Where others can reach the address, it must
    /// have been `open`ed to some.
    pub async fn serve(
        &self,
        measures: Option<&Measures>,
        open: bool,
        guard: &Guard,
    ) -> Result<(), Error> {
        let (Some(address), Some(measures)) = (self.metrics, measures) else { return Ok(()) };
        if !address.ip().is_loopback() && !open {
            return Err(Error::Unsafe(format!(
                "--metrics {address} can be reached by others; say --allow-remote with --allow CIDR to open it"
            )));
        }
        let unusable = |source| Error::Metrics { address, source };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let bound = listener.local_addr().map_err(unusable)?;
        remark(&format!("metrics at http://{bound}/metrics"));
        tokio::spawn(metrics::serve(listener, measures.clone(), guard.clone(), AT_ONCE));
        Ok(())
    }
}
