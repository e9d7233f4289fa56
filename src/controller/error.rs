//! What can go wrong in a pass, and the only place that says when it is tried again.

use std::time::Duration;

/// A pass that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server failed a read of a Secret.
    #[error("cannot read the Secret: {0}")]
    ReadSecret(#[source] ApiError),
    /// The API server failed a write of the status.
    #[error("cannot write the status: {0}")]
    WriteStatus(#[source] ApiError),
    /// The object has changed since the watch showed it.
    #[error("the object changed meanwhile")]
    Conflict,
    /// The pass took longer than its deadline.
    #[error("the pass took longer than {} s", .0.as_secs())]
    Deadline(Duration),
}

/// A stable word for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorClass {
    /// See [`ReconcileError::ReadSecret`].
    ReadSecret,
    /// See [`ReconcileError::WriteStatus`].
    WriteStatus,
    /// See [`ReconcileError::Conflict`].
    Conflict,
    /// See [`ReconcileError::Deadline`].
    Deadline,
}

impl ReconcileError {
    /// Its class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::ReadSecret(_) => ErrorClass::ReadSecret,
            Self::WriteStatus(_) => ErrorClass::WriteStatus,
            Self::Conflict => ErrorClass::Conflict,
            Self::Deadline(_) => ErrorClass::Deadline,
        }
    }
}

impl ErrorClass {
    /// When to try again after so many failures in a row.
    pub fn retry_after(self, failures: u32) -> Duration {
        match self {
            // The watch is about to show the newer object.
            Self::Conflict => Duration::from_millis(50 * u64::from(failures.clamp(1, 20))),
            Self::ReadSecret | Self::WriteStatus | Self::Deadline => {
                Duration::from_secs(2_u64.saturating_pow(failures.clamp(1, 6))).min(Duration::from_secs(60))
            }
        }
    }
}

/// A failed request to the API server. Of kube's own error only what cannot quote an answer is kept: the answer may be a
/// Secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// The API server answered with an error.
    #[error("HTTP {code} {reason}: {message}")]
    Status {
        /// The HTTP status.
        code: u16,
        /// Kubernetes' reason, such as `Forbidden`.
        reason: String,
        /// Kubernetes' message.
        message: String,
    },
    /// The answer could not be understood.
    #[error("the API server's answer cannot be decoded")]
    Undecodable,
    /// No answer in time.
    #[error("the API server did not answer in time")]
    TimedOut,
    /// No answer at all.
    #[error("no answer from the API server: {0}")]
    Transport(String),
}

impl ApiError {
    /// The HTTP status, if there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Undecodable | Self::TimedOut | Self::Transport(_) => None,
        }
    }
}

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&kube::Error> for ApiError {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
            },
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::Undecodable,
            kube::Error::HyperError(e) => Self::Transport(with_causes(e)),
            kube::Error::Service(e) => Self::Transport(with_causes(e.as_ref())),
            kube::Error::Auth(e) => Self::Transport(with_causes(e)),
            _ => Self::Transport("the request could not be made".to_owned()),
        }
    }
}

/// An error's text and those of its causes, in a line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

impl From<tokio::time::error::Elapsed> for ApiError {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TimedOut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_bounded() {
        assert_eq!(ErrorClass::ReadSecret.retry_after(1), Duration::from_secs(2));
        assert_eq!(ErrorClass::WriteStatus.retry_after(99), Duration::from_secs(60));
        assert_eq!(ErrorClass::Conflict.retry_after(1), Duration::from_millis(50));
    }

    #[test]
    fn an_undecodable_answer_is_not_quoted() {
        let error = serde_json::from_str::<u8>("\"pk_1_SECRET\"").unwrap_err();
        assert!(error.to_string().contains("SECRET"), "the test is void");
        let shown = with_causes(&ReconcileError::ReadSecret(kube::Error::SerdeError(error).into()));
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}
