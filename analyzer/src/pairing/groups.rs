//! Sessions that nothing but their order tells apart: a client's retries.

use std::collections::{BTreeSet, HashMap};

/// Sessions of both sides in groups, each with the partners that it may have.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) list: Vec<Group>,
    /// The group of a session of the server's side.
    owner: HashMap<usize, usize>,
}

impl Groups {
    /// A session of the client's side and all that it may be at the server's.
    pub(super) fn add(
        &mut self,
        client: (u64, usize),
        partners: impl Iterator<Item = (u64, usize)>,
    ) {
        let mut group = Group { client: vec![client], server: Vec::new() };
        let mut joined = BTreeSet::new();
        for partner in partners {
            match self.owner.get(&partner.1) {
                Some(owner) => _ = joined.insert(*owner),
                None => group.server.push(partner),
            }
        }
        let home = joined.first().copied().unwrap_or(self.list.len());
        for owner in joined {
            let other = std::mem::take(&mut self.list[owner]);
            group.client.extend(other.client);
            group.server.extend(other.server);
        }
        self.owner.extend(group.server.iter().map(|(_, at)| (*at, home)));
        match self.list.get_mut(home) {
            Some(place) => *place = group,
            None => self.list.push(group),
        }
    }
}

/// Sessions of both sides of which any may be any: when each began on the server's clock, and its number.
#[derive(Default)]
pub(super) struct Group {
    client: Vec<(u64, usize)>,
    server: Vec<(u64, usize)>,
}

impl Group {
    /// The pairs, where both sides have as many sessions and the same rhythm: no pair is off the others by
    /// half of what lies between two sessions.
    pub(super) fn in_order(&self) -> Option<Vec<(usize, usize)>> {
        let [mut client, mut server] = [&self.client, &self.server].map(Clone::clone);
        for list in [&mut client, &mut server] {
            list.sort_unstable();
        }
        if client.len() != server.len() {
            return None;
        }
        let gap = |list: &[(u64, usize)]| list.windows(2).map(|pair| pair[1].0 - pair[0].0).min();
        let least = gap(&client).into_iter().chain(gap(&server)).min();
        let pairs = client.iter().zip(&server);
        let apart = pairs.clone().map(|(a, b)| i128::from(b.0) - i128::from(a.0));
        let spread = apart.clone().max()? - apart.min()?;
        let steady = least.is_none_or(|least| spread.unsigned_abs() < u128::from(least / 2));
        steady.then(|| pairs.map(|(a, b)| (a.1, b.1)).collect())
    }
}
