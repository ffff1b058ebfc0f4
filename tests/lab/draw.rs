//! The random parameters of a run, drawn from a seed: the same seed gives the same run.

/// Which half of the laboratory a run belongs to. What belongs to the held-out half alone is
/// written down in `held_out.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// Detectors may be improved and confidences calibrated on it.
    Training,
    /// For the figures only.
    HeldOut,
}

impl Half {
    /// As on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOut => "held-out",
        }
    }
}

/// A source of parameters.
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
    half: Half,
}

impl Draw {
    /// Parameters of this half from a seed.
    pub fn new(seed: u64, half: Half) -> Self {
        Self { state: seed, half }
    }

    /// The half it draws from.
    pub fn half(&self) -> Half {
        self.half
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): 64 even bits.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// One of the values.
    pub fn one<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.next() as usize % values.len()]
    }

    /// One of the values that belong to this run's half.
    pub fn of_half<T: Copy>(&mut self, training: &[T], held_out: &[T]) -> T {
        match self.half {
            Half::Training => self.one(training),
            Half::HeldOut => self.one(held_out),
        }
    }

    /// A number in the range of this run's half.
    pub fn range_of_half(&mut self, training: [u64; 2], held_out: [u64; 2]) -> u64 {
        let [low, high] = if self.half == Half::Training { training } else { held_out };
        self.between(low, high)
    }
}
