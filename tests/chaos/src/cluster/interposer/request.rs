//! What a request asks for, as far as the interposer cares.

use hyper::Method;
use hyper::http::request::Parts;

use super::WriteKind;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An answer, and nothing is changed.
    Read,
    /// A watch; whether it goes on from a version, rather than listing what is there first.
    Watch { resumed: bool },
    /// A write that can be struck at.
    Write(WriteKind),
    /// Any other write.
    OtherWrite,
}

impl Asked {
    pub(super) fn of(parts: &Parts) -> Asked {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == name).then_some(value))
        };
        match parts.method {
            Method::GET if matches!(parameter("watch"), Some("1" | "true")) => {
                let from = !matches!(parameter("resourceVersion"), None | Some("" | "0"));
                Asked::Watch { resumed: from && parameter("sendInitialEvents") != Some("true") }
            }
            Method::GET | Method::HEAD | Method::OPTIONS => Asked::Read,
            Method::PATCH if path.ends_with("/status") => Asked::Write(WriteKind::Status),
            Method::POST | Method::PATCH if is_event(path) => Asked::Write(WriteKind::Event),
            _ => Asked::OtherWrite,
        }
    }

    pub(super) fn is_watch(self) -> bool {
        matches!(self, Asked::Watch { .. })
    }

    pub(super) fn is_write(self) -> bool {
        matches!(self, Asked::Write(_) | Asked::OtherWrite)
    }
}

/// `/apis/events.k8s.io/v1/namespaces/NAMESPACE/events[/NAME]`
fn is_event(path: &str) -> bool {
    path.starts_with("/apis/events.k8s.io/") && path.split('/').nth(6) == Some("events")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let connections = "/apis/clickup-operator.dev/v1alpha1";
        let status =
            format!("{connections}/namespaces/a/clickupconnections/b/status?fieldManager=x&force=true");
        let rows = [
            (Method::GET, "/api/v1/namespaces/a/secrets/b", Asked::Read),
            (Method::GET, "/api/v1/secrets?watch=true&resourceVersion=0&sendInitialEvents=true", WATCH),
            (Method::GET, "/api/v1/secrets?watch=true&resourceVersion=42", Asked::Watch { resumed: true }),
            (Method::GET, "/api/v1/secrets?watch=1&resourceVersion=", WATCH),
            (Method::PATCH, &status, Asked::Write(WriteKind::Status)),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events?", Asked::Write(WriteKind::Event)),
            (Method::PATCH, "/apis/events.k8s.io/v1/namespaces/a/events/b", Asked::Write(WriteKind::Event)),
            (Method::PATCH, "/apis/events.k8s.io/v1/namespaces/events/else/b", Asked::OtherWrite),
            (Method::POST, "/api/v1/namespaces", Asked::OtherWrite),
        ];
        for (method, uri, expected) in rows {
            let request = hyper::Request::builder().method(method).uri(uri).body(()).unwrap();
            assert_eq!(Asked::of(&request.into_parts().0), expected, "{uri}");
        }
    }

    const WATCH: Asked = Asked::Watch { resumed: false };
}
