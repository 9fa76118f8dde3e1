//! Tars that an installer's strangers could have left. Each is refused for its own reason, and nothing is changed.

use crate::common::{MOST_BYTES, Place, Tar};
use glovebox_environments::{Refusal, StoreError};

/// Refused so, without a trace.
fn refused(place: &Place, tar: &[u8]) -> StoreError {
    let before = place.everything();
    let error = place.add("evil", tar).unwrap_err();
    assert_eq!(place.everything(), before, "{error:?}");
    assert!(!error.mend().is_empty());
    error
}

fn refusal(place: &Place, tar: &[u8]) -> Refusal {
    match refused(place, tar) {
        StoreError::Refused { refusal, .. } => refusal,
        error => panic!("{error:?}"),
    }
}

#[test]
fn names_that_lead_out() {
    let place = Place::new();
    let canary = place.canary().display().to_string();
    let cases = [
        (canary.as_str(), Refusal::Absolute),
        ("../../../../canary", Refusal::Upwards),
        ("./a/../../canary", Refusal::Upwards),
        ("", Refusal::NoName),
        ("a//b", Refusal::NoName),
        (".", Refusal::NoName),
        ("f/", Refusal::NoName),
    ];
    for (name, reason) in cases {
        let tar = Tar::new().folder("a").file(name, "dead").end();
        assert_eq!(refusal(&place, &tar), reason, "{name}");
    }
    // The same as folders and as links.
    for name in ["/tmp/x", "../x"] {
        for tar in [Tar::new().folder(name), Tar::new().link(name, "x")] {
            let reason = refusal(&place, &tar.end());
            assert!([Refusal::Absolute, Refusal::Upwards].contains(&reason));
        }
    }
}

#[test]
fn a_link_first_and_then_a_file_through_it() {
    let place = Place::new();
    let around = place.canary().parent().unwrap().display().to_string();
    for target in [around.as_str(), "../../../..", ".", "real"] {
        let tar = Tar::new().folder("real").link("way", target);
        let through = tar.clone().file("way/canary", "dead").end();
        assert_eq!(refusal(&place, &through), Refusal::NoFolder, "{target}");
        let twice = tar.clone().folder("way").file("way/canary", "dead");
        assert_eq!(refusal(&place, &twice.end()), Refusal::Twice, "{target}");
        let over = tar.file("way", "dead").end();
        assert_eq!(refusal(&place, &over), Refusal::Twice, "{target}");
    }
    let canary = place.canary().display().to_string();
    let onto = Tar::new().link("f", &canary).file("f", "dead").end();
    assert_eq!(refusal(&place, &onto), Refusal::Twice);
}

#[test]
fn names_that_come_twice_or_lie_nowhere() {
    let place = Place::new();
    let file = Tar::new().file("f", "1");
    assert_eq!(
        refusal(&place, &file.clone().file("./f", "2").end()),
        Refusal::Twice
    );
    assert_eq!(
        refusal(&place, &file.clone().folder("f").end()),
        Refusal::Twice
    );
    assert_eq!(
        refusal(&place, &file.file("f/g", "2").end()),
        Refusal::NoFolder
    );
    let nowhere = Tar::new().file("never/came", "1").end();
    assert_eq!(refusal(&place, &nowhere), Refusal::NoFolder);
}

#[test]
fn hard_links_only_to_files_of_the_tree() {
    let place = Place::new();
    let canary = place.canary().display().to_string();
    let absolute = Tar::new().hard("f", &canary).end();
    assert_eq!(refusal(&place, &absolute), Refusal::Absolute);
    let upwards = Tar::new().hard("f", "../../../../canary").end();
    assert_eq!(refusal(&place, &upwards), Refusal::Upwards);
    // Through a link, to a link, to a folder, to itself, to one that comes later.
    let linked = Tar::new().folder("d").file("d/f", "1").link("l", &canary);
    for original in ["l", "d", "x", "later"] {
        let tar = linked.clone().hard("x", original).file("later", "1").end();
        assert_eq!(refusal(&place, &tar), Refusal::NoFile, "{original}");
    }
    let over = Tar::new().file("f", "1").hard("f", "f").end();
    assert_eq!(refusal(&place, &over), Refusal::Twice);
}

#[test]
fn kinds_that_no_environment_needs() {
    let place = Place::new();
    // Devices, a pipe, a contiguous and a sparse file, extended headers, GNU's own, one unheard of.
    for kind in *b"3467SxgVMDNZ" {
        let tar = Tar::new().entry(kind, "f", "", 0o644, b"").end();
        let name = char::from(kind);
        assert_eq!(refusal(&place, &tar), Refusal::Kind, "{name}");
    }
    // An extended header with content: what it says of the next entry must not matter.
    let record = b"12 path=/x\n\n";
    let tar = Tar::new().entry(b'x', "f", "", 0o644, record).file("f", "");
    assert_eq!(refusal(&place, &tar.end()), Refusal::Contradiction);
}

#[test]
fn bits_that_give_rights() {
    let place = Place::new();
    for mode in [0o4755, 0o2755, 0o6755] {
        let tar = Tar::new().entry(b'0', "f", "", mode, b"x").end();
        assert_eq!(refusal(&place, &tar), Refusal::Setuid, "{mode:o}");
        let tar = Tar::new().entry(b'5', "d", "", mode, b"").end();
        assert_eq!(refusal(&place, &tar), Refusal::Setuid, "{mode:o}");
    }
}

#[test]
fn headers_that_contradict_themselves() {
    let place = Place::new();
    for kind in *b"125" {
        let tar = Tar::new().entry(kind, "f", "g", 0o644, b"content").end();
        assert_eq!(refusal(&place, &tar), Refusal::Contradiction);
    }
    let twice = Tar::new()
        .entry(b'L', "", "", 0, b"one\0")
        .entry(b'L', "", "", 0, b"two\0");
    let twice = twice.file("f", "").end();
    assert_eq!(refusal(&place, &twice), Refusal::Contradiction);
}

#[test]
fn long_names_are_names_like_others() {
    let place = Place::new();
    let named = |name: &[u8]| Tar::new().entry(b'L', "", "", 0, name).file("f", "1").end();
    assert_eq!(refusal(&place, &named(b"../x\0")), Refusal::Upwards);
    assert_eq!(refusal(&place, &named(b"/x\0")), Refusal::Absolute);
    assert_eq!(refusal(&place, &named(b"a\0b\0")), Refusal::NoName);
    assert_eq!(refusal(&place, &named(&[b'x'; 256])), Refusal::TooLong);
    assert_eq!(refusal(&place, &named(&[b'x'; 5_000])), Refusal::TooLong);
    // One that claims more than there is memory.
    let claims = Tar::new().head(b'L', "", "", 0, 0o77_777_777_777).end();
    assert_eq!(refusal(&place, &claims), Refusal::TooLong);
    let target = |target: &[u8]| {
        Tar::new()
            .entry(b'K', "", "", 0, target)
            .link("l", "x")
            .end()
    };
    assert_eq!(refusal(&place, &target(b"\0")), Refusal::NoName);
    assert_eq!(refusal(&place, &target(b"a\0b\0")), Refusal::NoName);
    let nothing_after = Tar::new().entry(b'L', "", "", 0, b"x\0").end();
    assert!(matches!(
        refused(&place, &nothing_after),
        StoreError::Truncated
    ));
}

#[test]
fn more_than_is_allowed() {
    let place = Place::new();
    // Claimed and not sent: refused before a byte is written.
    let claims = Tar::new()
        .head(b'0', "f", "", 0o644, 0o77_777_777_777)
        .end();
    assert!(matches!(
        refused(&place, &claims),
        StoreError::TooLarge(MOST_BYTES)
    ));
    let half = "x".repeat(600_000);
    let both = Tar::new().file("a", &half).file("b", &half).end();
    assert!(matches!(
        refused(&place, &both),
        StoreError::TooLarge(MOST_BYTES)
    ));
    // A copy takes as much room as its original.
    let copy = Tar::new().file("a", &half).hard("b", "a").end();
    assert!(matches!(
        refused(&place, &copy),
        StoreError::TooLarge(MOST_BYTES)
    ));
}

#[test]
fn more_entries_than_are_allowed() {
    let place = Place::new();
    let one = Tar::default().folder("./").cut();
    let most = 200_000;
    let tar = |count: usize| {
        let mut tar = one.repeat(count);
        tar.extend([0; 1024]);
        tar
    };
    assert!(matches!(
        refused(&place, &tar(most + 1)),
        StoreError::TooMany(_)
    ));
    place.add("many", &tar(most)).unwrap();
}

#[test]
fn what_is_no_tar_or_only_a_part_of_one() {
    let place = Place::new();
    let whole = Tar::new().file("f", "content");
    assert!(matches!(
        refused(&place, &whole.clone().cut()),
        StoreError::Truncated
    ));
    assert!(matches!(refused(&place, b""), StoreError::Truncated));
    let bytes = whole.clone().cut();
    for length in [1, 511, 513, 1_024, 1_027] {
        let error = refused(&place, bytes.get(..length).unwrap());
        let expected = matches!(error, StoreError::Truncated | StoreError::Read(_));
        assert!(expected, "{length}: {error:?}");
    }
    let noise = [0x5a; 2_048];
    assert!(matches!(refused(&place, &noise), StoreError::Read(_)));
    // One flipped bit in a header.
    let mut flipped = whole.end();
    *flipped.get_mut(512).unwrap() ^= 1;
    assert!(matches!(refused(&place, &flipped), StoreError::Read(_)));
}

#[test]
fn a_strangers_name_can_do_nothing_to_a_terminal() {
    let place = Place::new();
    let tar = Tar::new().entry(b'3', "\u{1b}[2J\n", "", 0o644, b"").end();
    let text = refused(&place, &tar).to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
}
