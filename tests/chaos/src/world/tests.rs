use super::*;

fn world() -> World {
    let mut world = World { namespaces: vec![true, false], ..World::default() };
    for _ in 0..2 {
        world.accounts.push(Account { version: 0, live: true, member: true, limit: 100 });
    }
    let own = Key::new(0, "own");
    let connection = Connection { sharing: Sharing::Selected, ..Connection::of(&own, 0, Asks::default()) };
    world.apply(&Change::Put(secret_of(&own), Fill::Token(0)));
    world.apply(&Change::Create(own.clone(), Box::new(connection)));
    let used = Connection { source: Source::Owner(own), ..Connection::default() };
    world.apply(&Change::Create(Key::new(1, "user"), Box::new(used)));
    world
}

fn ready(world: &World, key: &Key) -> (&'static str, &'static str) {
    world.expected(key).ready()
}

#[test]
fn what_is_done_to_one_concerns_those_who_use_it() {
    let (own, user) = (Key::new(0, "own"), Key::new(1, "user"));
    let both: BTreeSet<_> = [own.clone(), user.clone()].into();
    let mut world = world();
    assert_eq!(ready(&world, &own), ("True", "Verified"));
    assert_eq!(ready(&world, &user), ("False", "ConnectionNotShared"));
    assert_eq!(world.apply(&Change::Label(1, true)), [user.clone()].into());
    assert_eq!(ready(&world, &user), ("True", "Verified"));
    assert_eq!(world.apply(&Change::Put(secret_of(&own), Fill::Broken(Broken::Huge))), both);
    assert_eq!(ready(&world, &own), ("False", "TokenMalformed"));
    assert_eq!(ready(&world, &user), ("False", "ConnectionNotReady"));
    assert_eq!(world.apply(&Change::Put(secret_of(&own), Fill::Large(1))), both);
    assert_eq!(world.expected(&own).user, Some(user_id(1)));
    assert_eq!(world.expected(&user).user, None, "whose token it is is the owner's");
    assert_eq!(world.apply(&Change::Revoke(1)), both);
    assert_eq!(ready(&world, &user), ("False", "TokenRejected"));
    world.apply(&Change::Regenerate(1));
    assert_eq!(ready(&world, &own), ("False", "TokenRejected"), "the Secret still has the old one");
    world.apply(&Change::Put(secret_of(&own), Fill::Token(1)));
    assert_eq!(ready(&world, &user), ("True", "Verified"));
}

#[test]
fn a_suspended_status_stands() {
    let (own, user) = (Key::new(0, "own"), Key::new(1, "user"));
    let mut world = world();
    world.apply(&Change::Label(1, true));
    world.apply(&Change::Suspend(own.clone(), true));
    world.apply(&Change::Remove(secret_of(&own)));
    assert_eq!((ready(&world, &own), ready(&world, &user)), (("True", "Verified"), ("True", "Verified")));
    world.apply(&Change::Suspend(own.clone(), false));
    assert_eq!(ready(&world, &own), ("False", "SecretNotFound"));
    assert_eq!(ready(&world, &user), ("False", "ConnectionNotReady"));
    let born = Key::new(1, "born");
    let connection = Connection { suspended: true, ..Connection::of(&born, 0, Asks::default()) };
    world.apply(&Change::Create(born.clone(), Box::new(connection)));
    assert_eq!(ready(&world, &born), ("Unknown", "Suspended"));
}

#[test]
fn the_first_no_is_the_reason() {
    let mut world = world();
    let own = Key::new(0, "own");
    for (edit, reason) in [
        (Edit::Role(Some(false)), "RoleTooLow"),
        (Edit::MissingList(true), "AccessDenied"),
        (Edit::Channel(Some(false)), "ChannelNotFound"),
    ] {
        world.apply(&Change::Edit(own.clone(), edit));
        assert_eq!(ready(&world, &own), ("False", reason));
    }
}
