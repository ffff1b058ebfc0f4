//! A connection that was accepted between two captures, and by nobody behind.

use super::start;
use crate::detect::tests::{claims, silent};
use crate::input::{ConnectFailureKind, SegmentKind};
use crate::report::Connection;
use crate::testing::ends::{OPTIONS, absent, absent_beside, both};
use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};

const ID: &str = "lb-no-backend";

/// Accepted, asked, and ended from the server's side.
fn dropped(kind: SegmentKind) -> Trace {
    start().cr(MSTSC).after_ms(3).ended(ToClient, kind, 1)
}

/// What something in between dials for itself: another number than the client's.
fn dialled() -> Trace {
    Trace::capture().starting_at(20).kept_as(ToServer, SegmentKind::Syn, 77, OPTIONS).after_ms(1)
}

fn refused() -> Trace {
    let refused = dialled().kept(ToClient, SegmentKind::Rst, 0);
    refused.connect_failed(ConnectFailureKind::Refused, 1)
}

fn party(report: &Connection) -> (&str, f64) {
    (report.verdict.party.as_str(), report.verdict.confidence.who)
}

#[test]
fn accepted_in_between_and_by_nobody_behind() {
    for kind in [SegmentKind::Fin, SegmentKind::Rst] {
        let before = absent(&dropped(kind), true);
        names(&before);
        // What it dialled was refused, or nobody answered it.
        names(&both(&dropped(kind), &refused()));
        names(&both(&dropped(kind), &dialled()));
    }
    // A session that was not asked for anything, closed at once.
    names(&absent(&start().ended(ToClient, SegmentKind::Fin, 1), true));
}

/// The row is named, and whoever ended the session is not the server.
#[track_caller]
fn names(report: &Connection) {
    assert_eq!(report.verdict.cause.as_deref(), Some(ID), "{report:#?}");
    assert_eq!(party(report), ("network", 0.8));
    silent(report, "syn-proxy-fake-open");
}

#[test]
fn another_hosts_capture_shows_little() {
    let elsewhere = absent(&dropped(SegmentKind::Fin), false);
    assert!(claims(&elsewhere, ID), "{elsewhere:#?}");
    assert!(elsewhere.verdict.confidence.why <= 0.55);
}

#[test]
fn a_connection_that_may_be_it_proves_nothing() {
    let unclear = absent_beside(&dropped(SegmentKind::Fin), true, true);
    assert_ne!(unclear.verdict.cause.as_deref(), Some(ID), "{unclear:#?}");
    // Clean twin: the server accepted it itself and hung up.
    let own = both(&dropped(SegmentKind::Fin), &dropped(SegmentKind::Fin));
    assert_eq!((own.verdict.cause.as_deref(), party(&own).0), (None, "server"), "{own:#?}");
    // Decoys: it answered; it was the client that left; a service that waited.
    let answered = start().cr(MSTSC).cc(SSL).after_ms(3).ended(ToClient, SegmentKind::Fin, 20);
    silent(&absent(&answered, true), ID);
    assert_eq!(party(&absent(&answered, true)).0, "unknown");
    silent(&absent(&start().cr(MSTSC).after_ms(3).ended(ToServer, SegmentKind::Fin, 48), true), ID);
    silent(
        &absent(&start().cr(MSTSC).after_ms(9000).ended(ToClient, SegmentKind::Fin, 1), true),
        ID,
    );
}
