//! What a term adds to a score, in one byte.
//!
//! BM25 saturates: `x * (K1 + 1) / (x + K1)` lies between 0 and `K1 + 1`, wherever `x` lies. Its square root is kept, in 255 steps:
//! of a weak term (a word in a long text) the step is still within a few hundredths of its worth.

/// BM25's saturation.
pub const K1: f32 = 1.2;

const STEPS: f32 = 255.0;

/// Of a frequency; `None` when it is no positive number.
pub fn level(x: f32) -> Option<u8> {
    if x.is_nan() || x <= 0.0 {
        return None;
    }
    let part = if x.is_infinite() { 1.0 } else { x / (x + K1) };
    let step = (part.sqrt() * STEPS).round().clamp(1.0, STEPS);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=255 on the line before")]
    let level = step as u8;
    Some(level)
}

/// What a term of this weight gives for each unit of a squared level.
pub fn unit(weight: f32) -> f32 {
    weight * (K1 + 1.0) / (STEPS * STEPS)
}

pub fn gain(unit: f32, level: u8) -> f32 {
    let level = u16::from(level);
    unit * f32::from(level * level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_close_to_what_it_stands_for() {
        for x in [0.02_f32, 0.05, 0.1, 0.3, 0.7, 1.0, 2.0, 3.0, 8.0, 40.0] {
            let exact = 3.0 * x * (K1 + 1.0) / (x + K1);
            let kept = gain(unit(3.0), level(x).unwrap());
            assert!((kept - exact).abs() / exact < 0.03, "{x}: {kept} for {exact}");
        }
        assert!(level(2.0) > level(1.0) && level(f32::INFINITY) == Some(255));
        assert_eq!([0.0, -1.0, f32::NAN].map(level), [None, None, None]);
    }
}
