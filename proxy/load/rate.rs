//! Rates, and when operations are to begin.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Operations per second; finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl FromStr for Rate {
    type Err = String;

    /// `50/s`, `90/m`, `3600/h`; without a time it is per second.
    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("`{text}` is no rate such as 50/s or 90/m");
        let (number, seconds) = match text.split_once('/') {
            None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
            Some((number, "m" | "min")) => (number, 60.0),
            Some((number, "h")) => (number, 3600.0),
            Some(_) => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let rate = number / seconds;
        if rate.is_finite() && rate > 0.0 { Ok(Rate(rate)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", (self.0 * 1000.0).round() / 1000.0)
    }
}

/// How the rate goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One after the other, each for an equal part of the time; a single one is constant.
    Steps(Vec<Rate>),
    /// From one to the other, linear over the time.
    Ramp(Rate, Rate),
}

/// A rate over a time: it alone says when operations begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How the rate goes.
    pub shape: Shape,
    /// For how long.
    pub lasts: Duration,
}

impl Profile {
    /// The highest rate, per second.
    pub fn peak(&self) -> f64 {
        match &self.shape {
            Shape::Steps(rates) => rates.iter().map(|rate| rate.0).fold(0.0, f64::max),
            Shape::Ramp(from, to) => from.0.max(to.0),
        }
    }

    /// How many operations begin.
    pub fn count(&self) -> u64 {
        self.parts().map(|(_, lasts, from, to)| begun(lasts, from, to)).sum()
    }

    /// When each operation begins, from the start, in order.
    pub fn starts(&self) -> impl Iterator<Item = Duration> + Send + '_ {
        self.parts().flat_map(|(begin, lasts, from, to)| {
            (0..begun(lasts, from, to))
                .map(move |n| Duration::from_secs_f64(begin + when(n as f64, lasts, from, to)))
        })
    }

    /// Begin and length in s, first and last rate of each part.
    fn parts(&self) -> impl Iterator<Item = (f64, f64, f64, f64)> + Send + '_ {
        let lasts = self.lasts.as_secs_f64();
        let rates: Vec<(f64, f64)> = match &self.shape {
            Shape::Steps(rates) => rates.iter().map(|rate| (rate.0, rate.0)).collect(),
            Shape::Ramp(from, to) => vec![(from.0, to.0)],
        };
        let part = lasts / rates.len() as f64;
        rates
            .into_iter()
            .enumerate()
            .map(move |(at, (from, to))| (at as f64 * part, part, from, to))
    }
}

/// How many operations begin in a part: the area below its rate, the one at its first moment included.
fn begun(lasts: f64, from: f64, to: f64) -> u64 {
    // What is whole but for the last bit of a float is whole.
    ((from + to) / 2.0 * lasts - 1e-9).ceil().max(0.0) as u64
}

/// When the area below the rate is `n`: the solution of from·t + (to - from)·t²/(2·lasts) = n that does
/// not lose its digits where the slope is small.
fn when(n: f64, lasts: f64, from: f64, to: f64) -> f64 {
    let slope = (to - from) / lasts;
    2.0 * n / (from + (from * from + 2.0 * slope * n).max(0.0).sqrt())
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Ramp(from, to) => write!(f, "{from} to {to}")?,
            Shape::Steps(rates) => {
                let rates: Vec<String> = rates.iter().map(Rate::to_string).collect();
                write!(f, "{}", rates.join(", "))?;
            }
        }
        write!(f, " for {:?}", self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    fn starts_ms(shape: Shape, lasts: u64) -> Vec<u128> {
        let profile = Profile { shape, lasts: Duration::from_secs(lasts) };
        let starts: Vec<u128> = profile.starts().map(|start| start.as_millis()).collect();
        assert_eq!(starts.len() as u64, profile.count());
        starts
    }

    #[test]
    fn rates_have_units() {
        assert_eq!(rate("50/s"), Rate(50.0));
        assert_eq!((rate("90/m"), rate("2")), (Rate(1.5), Rate(2.0)));
        for wrong in ["", "0/s", "-1/s", "inf/s", "NaN", "5/week", "fast", "/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_constant_rate_is_even() {
        let starts = starts_ms(Shape::Steps(vec![rate("4/s")]), 2);
        assert_eq!(starts, [0, 250, 500, 750, 1000, 1250, 1500, 1750]);
    }

    #[test]
    fn steps_share_the_time() {
        let starts = starts_ms(Shape::Steps(vec![rate("1/s"), rate("4/s")]), 4);
        assert_eq!(starts, [0, 1000, 2000, 2250, 2500, 2750, 3000, 3250, 3500, 3750]);
    }

    #[test]
    fn a_ramp_is_the_area_below_the_rate() {
        // 10 + 20 per second over 2 s: 30, and half as many before the time at which the area is 15.
        let starts = starts_ms(Shape::Ramp(rate("10/s"), rate("20/s")), 2);
        assert_eq!(starts.len(), 30);
        let gaps: Vec<u128> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.first() > gaps.last(), "{gaps:?}");
        // 10 t + 2.5 t² = 15 at t = 1.1623 s.
        assert_eq!(starts[15], 1162);
        // Down again: the same from the other end.
        let down = starts_ms(Shape::Ramp(rate("20/s"), rate("10/s")), 2);
        assert_eq!((down.len(), down[15]), (30, 837));
    }
}
