use super::*;
use kube::runtime::reflector::{self, store::Writer};
use serde_json::json;

fn stored(namespace: &str, name: &str, uid: &str, refers: bool) -> StoredConnection {
    let spec = if refers {
        json!({"connectionRef": {"namespace": "a", "name": "o"}})
    } else {
        json!({"tokenSecretRef": {"name": "s"}})
    };
    let metadata = json!({"namespace": namespace, "name": name, "uid": uid});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

/// A union with the store behind it, and all that was shown.
struct World {
    union: Union,
    writer: Writer<StoredConnection>,
    store: Store<StoredConnection>,
}

impl World {
    fn new(scopes: &[Scope]) -> Self {
        let (store, writer) = reflector::store();
        Self { union: Union::new(scopes, store.clone()), writer, store }
    }

    fn of(namespaces: &[&str]) -> Self {
        Self::new(&namespaces.iter().map(|n| Scope::Namespace((*n).to_owned())).collect::<Vec<_>>())
    }

    /// What is shown, in short.
    fn says(&mut self, n: usize, said: Said) -> Vec<String> {
        let shown = self.union.take_in(n, said);
        let uid = |o: &StoredConnection| o.metadata.uid.clone().unwrap();
        shown
            .into_iter()
            .map(|shown| match shown {
                Shown::Event(event) => {
                    self.writer.apply_watcher_event(&event);
                    match event {
                        Event::Init => "init".to_owned(),
                        Event::InitDone => "done".to_owned(),
                        Event::InitApply(o) => format!("list {}", uid(&o)),
                        Event::Apply(o) => format!("apply {}", uid(&o)),
                        Event::Delete(o) => format!("delete {}", uid(&o)),
                    }
                }
                Shown::Listed(scope) => format!("{scope} listed"),
                Shown::Refused(scope) => format!("{scope} refused"),
            })
            .collect()
    }

    fn event(&mut self, n: usize, event: Event<StoredConnection>) -> Vec<String> {
        self.says(n, Said::Event(event))
    }

    fn list(&mut self, n: usize, list: &[StoredConnection]) -> Vec<String> {
        assert_eq!(self.event(n, Event::Init), [""; 0]);
        for stored in list {
            assert_eq!(self.event(n, Event::InitApply(stored.clone())), [""; 0]);
        }
        self.event(n, Event::InitDone)
    }

    fn holds(&self) -> Vec<String> {
        let mut uids: Vec<_> = self.store.state().iter().map(|o| o.metadata.uid.clone().unwrap()).collect();
        uids.sort();
        uids
    }
}

#[test]
fn nothing_is_shown_before_every_namespace_is_listed_or_refused() {
    let mut world = World::of(&["a", "b", "c"]);
    assert_eq!(world.list(0, &[stored("a", "o", "1", false), stored("a", "p", "2", false)]), [""; 0]);
    // What happens meanwhile counts.
    assert_eq!(world.event(0, Event::Apply(stored("a", "q", "3", false))), [""; 0]);
    assert_eq!(world.event(0, Event::Delete(stored("a", "p", "2", false))), [""; 0]);
    assert_eq!(world.says(2, Said::Refused), ["namespace c refused"]);
    // So does a list that begins again.
    assert_eq!(world.event(1, Event::Init), [""; 0]);
    assert_eq!(world.event(1, Event::InitApply(stored("b", "x", "4", true))), [""; 0]);
    let shown = world.list(1, &[stored("b", "y", "5", true)]);
    assert_eq!(
        shown,
        ["init", "list 1", "list 3", "list 5", "done", "namespace a listed", "namespace b listed"]
    );
    assert_eq!(world.holds(), ["1", "3", "5"]);
}

#[test]
fn the_list_of_one_namespace_leaves_the_others_alone() {
    let mut world = World::of(&["a", "b"]);
    world.list(0, &[stored("a", "o", "1", false), stored("a", "p", "2", false)]);
    world.list(1, &[stored("b", "x", "3", true)]);
    assert_eq!(world.holds(), ["1", "2", "3"]);
    // One is gone, one was made anew under its name, one is new.
    let shown = world.list(0, &[stored("a", "m", "5", true), stored("a", "o", "4", false)]);
    let mut deleted = shown[..2].to_vec();
    deleted.sort();
    assert_eq!(deleted, ["delete 1", "delete 2"]);
    assert_eq!(shown[2..], ["apply 4", "apply 5", "namespace a listed"], "owners first");
    assert_eq!(world.holds(), ["3", "4", "5"]);
    assert_eq!(world.event(1, Event::Delete(stored("b", "x", "3", true))), ["delete 3"]);
    assert_eq!(world.holds(), ["4", "5"]);
    // What may not be watched any more stands still.
    assert_eq!(world.says(0, Said::Refused), ["namespace a refused"]);
    assert_eq!(world.holds(), ["4", "5"]);
}

#[test]
fn one_that_comes_late_is_shown_when_it_comes() {
    let mut world = World::of(&["a", "b"]);
    assert_eq!(world.says(1, Said::Refused), ["namespace b refused"]);
    assert_eq!(world.list(0, &[]), ["init", "done", "namespace a listed"]);
    assert_eq!(world.says(1, Said::Refused), ["namespace b refused"]);
    assert_eq!(world.list(1, &[stored("b", "x", "1", false)]), ["apply 1", "namespace b listed"]);
    assert_eq!(world.holds(), ["1"]);

    let mut world = World::of(&["a", "b"]);
    assert_eq!(world.says(0, Said::Refused), ["namespace a refused"]);
    assert_eq!(world.says(1, Said::Refused), ["init", "done", "namespace b refused"], "nobody is waited for");
}

#[test]
fn one_watch_is_its_own_union() {
    for scope in [Scope::Cluster, Scope::Namespace("a".to_owned())] {
        let mut world = World::new(std::slice::from_ref(&scope));
        assert_eq!(world.event(0, Event::Init), ["init"]);
        assert_eq!(world.event(0, Event::InitApply(stored("a", "o", "1", false))), ["list 1"]);
        assert_eq!(world.event(0, Event::InitDone), ["done".to_owned(), format!("{scope} listed")]);
        assert_eq!(world.event(0, Event::Delete(stored("a", "o", "1", false))), ["delete 1"]);
        assert_eq!(world.says(0, Said::Refused), [format!("{scope} refused")]);
    }
}
