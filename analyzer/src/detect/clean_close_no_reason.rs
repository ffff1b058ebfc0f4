//! `clean-close-no-reason`: one side closed in order and did not say why.

use super::opinion::{Band, Class, Detector, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::input::Close;

pub(super) const DETECTOR: Detector = Detector {
    id: "clean-close-no-reason",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &[],
    remedy: "Look in the logs of the side that closed, at that second.",
    next: &[
        Next {
            what: "what the server logged at that second (on the server, read-only)",
            command: Some(
                "Get-WinEvent -FilterHashtable @{LogName='System';Id=36870,36871,36874,36888,1057,1058} -MaxEvents 10",
            ),
        },
        Next {
            what: "what the client logged (on the client, read-only)",
            command: Some(
                "Get-WinEvent -FilterHashtable @{LogName='Microsoft-Windows-TerminalServices-RDPClient/Operational';Id=1026} -MaxEvents 3",
            ),
        },
    ],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending()?;
    let how = match ending.how {
        Close::Fin => "closed the connection in an orderly way",
        Close::Error(_) => "was lost",
        Close::Rst => return None,
    };
    let (party, band) = who::closer(facts, ending);
    let closer = facts.closer(ending).unwrap_or(ending.dir);
    let side = who::closing_side(facts, ending);
    let (step, reason) = (who::step(facts), who::reason(facts, closer));
    let mut opinion = Opinion::new(Band::Certain, format!("{side} side {how}{step} {reason}."))
        .party(party, band)
        .supports(who::ended(ending));
    opinion.supports.extend(who::goodbye(facts, ending));
    opinion.supports.extend(who::last_words(facts, closer));
    Some(opinion)
}
