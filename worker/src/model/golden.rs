//! Whether a network answers what it must. A wrong kernel, a damaged weight or another preprocessing often still gives
//! plausible labels; numbers tell.

/// How the network's output is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The recorded output is no JSON array of numbers.
    #[error("the golden output in the model folder cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another number of outputs.
    #[error("the network gives {actual} numbers for the golden image, recorded are {expected}")]
    Length {
        /// Recorded numbers.
        expected: usize,
        /// Numbers that the network gave.
        actual: usize,
    },
    /// A number is off.
    #[error(
        "its output {index} for the golden image is {actual}, recorded is {expected}, and {tolerance} is tolerated: \
         the ONNX, the preprocessing in model.json or this worker's arithmetic is wrong"
    )]
    Off {
        /// Index in the output.
        index: usize,
        /// What was recorded.
        expected: f32,
        /// What the network gave.
        actual: f32,
        /// `golden.tolerance` in the manifest.
        tolerance: f32,
    },
}

/// Compares an output with the recorded one (a JSON array) and returns the largest difference of any number.
///
/// # Errors
/// When they have not the same length, or a number differs by more than `tolerance`.
pub fn check(recorded: &[u8], output: &[f32], tolerance: f32) -> Result<f32, GoldenError> {
    let recorded: Vec<f32> = serde_json::from_slice(recorded)?;
    if recorded.len() != output.len() {
        return Err(GoldenError::Length { expected: recorded.len(), actual: output.len() });
    }
    let mut largest = 0.0_f32;
    for (index, (&expected, &actual)) in recorded.iter().zip(output).enumerate() {
        let difference = (expected - actual).abs();
        if difference > tolerance || difference.is_nan() {
            return Err(GoldenError::Off { index, expected, actual, tolerance });
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::{GoldenError, check};

    #[test]
    fn within_the_tolerance_is_met() {
        assert_eq!(check(b"[0.25, 0.75]", &[0.25, 0.75], 0.001).unwrap(), 0.0);
        assert!(check(b"[0.25, 0.75]", &[0.2505, 0.7495], 0.001).unwrap() < 0.001);
    }

    #[test]
    fn everything_else_is_refused() {
        assert!(matches!(check(b"[0.25]", &[0.25, 0.75], 1.0), Err(GoldenError::Length { expected: 1, actual: 2 })));
        assert!(matches!(check(b"[0.25, 0.75]", &[0.25, 0.76], 0.001), Err(GoldenError::Off { index: 1, .. })));
        assert!(matches!(check(b"[0.25]", &[f32::NAN], 0.001), Err(GoldenError::Off { .. })));
        assert!(matches!(check(b"{}", &[0.25], 0.001), Err(GoldenError::Unreadable(_))));
    }
}
