//! A still is decoded once, to what its motion needs; pieces and cover read that.

use media::{
    Size, StillLimits,
    motion::reduce_for,
    still::{load_still, to_png},
};
use pipeline::{FileRef, SourceRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::computing;

/// Memory of the largest still while it is decoded, turned and reduced.
const DECODING_BYTES: u64 = 400 << 20;

/// Decodes stills.
#[derive(Debug)]
pub(crate) struct Reduce;

/// A still, the frame it is to fill, and what shows through where it is transparent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ReduceInput {
    pub source: SourceRef,
    pub frame: Size,
    pub matte: [u8; 3],
}

impl Stage for Reduce {
    type Input = ReduceInput;
    /// A PNG, upright and opaque.
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "stills"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &ReduceInput, context: &StageContext) -> Result<FileRef, StageError> {
        let _memory = context.memory(DECODING_BYTES).await?;
        let path = context.source_path(&input.source).await?;
        let limits = StillLimits { matte: input.matte, ..StillLimits::default() };
        let frame = input.frame;
        let png = computing(move || to_png(reduce_for(load_still(&path, &limits)?, frame)?.image())).await?;
        context.keep_bytes(png, "png").await
    }
}
