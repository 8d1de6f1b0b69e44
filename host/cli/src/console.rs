//! The console as a script meets it: JSON over HTTP, with cookies.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::TlsConfig;

/// A browser at the console, without the browser.
pub(crate) struct Console {
    agent: Agent,
    url: String,
}

/// Why the console did not answer as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsoleError {
    /// It refused.
    #[error("{code} ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// AWS's code for the error.
        code: String,
        /// What to do.
        message: String,
    },
    /// It could not be reached, or answered something else than JSON.
    #[error("no answer from the console: {0}")]
    Http(#[from] ureq::Error),
    /// It answered another JSON than it should.
    #[error("the console's answer makes no sense: {0}")]
    Json(#[from] serde_json::Error),
}

impl Console {
    /// A new browser: no cookies.
    pub(crate) fn new(url: &str, tls: TlsConfig) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).tls_config(tls);
        // What is said to the console goes through no proxy and follows nobody elsewhere.
        let config = config.proxy(None).max_redirects(0).timeout_global(Some(PATIENCE)).build();
        Self { agent: config.into(), url: url.to_owned() }
    }

    /// Reads.
    pub(crate) fn get(&mut self, path: &str) -> Result<Value, ConsoleError> {
        read(self.agent.get(format!("{}{path}", self.url)).call()?)
    }

    /// Acts, as the console's own page would.
    pub(crate) fn post(&mut self, path: &str, body: Value) -> Result<Value, ConsoleError> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Origin", &self.url);
        read(request.send_json(body)?)
    }

    /// Acts, and reads the answer as a value of a type.
    pub(crate) fn post_for<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: Value,
    ) -> Result<T, ConsoleError> {
        Ok(serde_json::from_value(self.post(path, body)?)?)
    }
}

/// The console takes at most a minute for an answer, and others may wait for this command to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, ConsoleError> {
    let status = response.status();
    let body: Value = response.body_mut().read_json()?;
    if status.is_success() {
        return Ok(body);
    }
    let member = |name| body.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(ConsoleError::Refused {
        status: status.as_u16(),
        code: member("/error/code"),
        message: member("/error/message"),
    })
}
