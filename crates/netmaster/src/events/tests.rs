use contiv_model::agent::EventEnd;

use super::*;

fn batch(life: &str, first: u64, count: u64) -> EventBatch {
    let event = |number| FabricEvent {
        time: number,
        kind: EventKind::Drop,
        tenant: "blue".into(),
        ..FabricEvent::default()
    };
    EventBatch {
        life: life.into(),
        first,
        events: (first..first + count).map(event).collect(),
    }
}

fn ids(events: &Events) -> Vec<String> {
    let all = events.list(&Filter::default(), usize::MAX);
    all.iter().map(|event| event.id.clone()).collect()
}

#[test]
fn a_batch_that_comes_again_adds_what_is_new() {
    let events = Events::default();
    events.take("h", batch("a", 0, 2), 0);
    events.take("h", batch("a", 0, 3), 0);
    assert_eq!(ids(&events), ["h.a.0", "h.a.1", "h.a.2"]);
    events.take("h", batch("a", 1, 1), 0);
    events.take("h", batch("b", 0, 1), 0);
    assert_eq!(ids(&events), ["h.a.0", "h.a.1", "h.a.2", "h.b.0"]);
}

#[test]
fn a_gap_is_told_and_the_past_before_the_first_word_is_none() {
    let events = Events::default();
    events.take("h", batch("a", 7, 1), 0);
    events.take("h", batch("a", 10, 1), 99);
    assert_eq!(ids(&events), ["h.a.7", "h.a.8-9", "h.a.10"]);
    let blue = Filter {
        tenant: Some("red".into()),
        ..Filter::default()
    };
    let all = events.list(&blue, 10);
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].kind, all[0].suppressed, all[0].time),
        (EventKind::Lost, 2, 99)
    );
}

#[test]
fn the_latest_are_remembered_and_places_go_on() {
    let events = Events::default();
    let many = u64::try_from(REMEMBERED).unwrap() + 5;
    events.take("h", batch("a", 0, many), 0);
    let (rest, end) = events.from(0);
    assert_eq!((rest.len(), rest[0].0, end), (REMEMBERED, 5, many));
    let (rest, _) = events.from(many - 1);
    assert_eq!(rest.len(), 1);
    assert_eq!(events.from(many).0.len(), 0);
    let newest = events.list(&Filter::default(), 2);
    assert_eq!((newest[0].time, newest[1].time), (many - 2, many - 1));
}

#[test]
fn events_are_picked_by_what_they_are_about() {
    let mut event = batch("a", 3, 1).events.remove(0);
    event.host = "h".into();
    event.to = EventEnd {
        endpoint: "abcdef".into(),
        container: "web".into(),
        ..EventEnd::default()
    };
    let all = Filter::default();
    let wish = |text: &str| Some(text.to_owned());
    for (filter, taken) in [
        (all.clone(), true),
        (
            Filter {
                tenant: wish("blue"),
                ..all.clone()
            },
            true,
        ),
        (
            Filter {
                tenant: wish("red"),
                ..all.clone()
            },
            false,
        ),
        (
            Filter {
                host: wish("h"),
                ..all.clone()
            },
            true,
        ),
        (
            Filter {
                host: wish("g"),
                ..all.clone()
            },
            false,
        ),
        (
            Filter {
                kind: Some(EventKind::Log),
                ..all.clone()
            },
            false,
        ),
        (
            Filter {
                endpoint: wish("web"),
                ..all.clone()
            },
            true,
        ),
        (
            Filter {
                endpoint: wish("we"),
                ..all.clone()
            },
            false,
        ),
        (
            Filter {
                endpoint: wish("abc"),
                ..all.clone()
            },
            true,
        ),
        (
            Filter {
                since: Some(3),
                ..all.clone()
            },
            true,
        ),
        (
            Filter {
                since: Some(4),
                ..all.clone()
            },
            false,
        ),
    ] {
        assert_eq!(filter.takes(&event), taken, "{filter:?}");
    }
}
