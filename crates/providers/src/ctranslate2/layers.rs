//! The arrays that an encoder and a decoder of transformer layers are made of, and their lengths: CTranslate2 multiplies
//! what it is given, whether it fits or not.

use super::weights::{Array, Weights};

/// The sizes of a model that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) decoder_layers: usize,
    pub(crate) decoder_heads: usize,
}

/// Single numbers that change what the arrays have to be, and the only values that these models have.
const FIXED: [(&str, i64); 6] = [
    ("alibi", 0),
    ("embeddings_merge", 0),
    ("merged_encoder_attention", 0),
    ("multi_query", 0),
    ("multi_query_attention", 0),
    ("sliding_window", 0),
];
/// Single numbers that these models do not have.
const FOREIGN: [&str; 3] = ["head_dim", "num_heads_kv", "rotary_dim"];
/// Heads of a layer where the file does not say.
const USUAL_HEADS: i64 = 8;

/// Looks whether every array of a model of so many tokens has the lengths that its layers need, or says which has not.
pub(crate) fn check(weights: &Weights, tokens_known: usize) -> Result<Sizes, String> {
    let [tokens, width] = weights.shape("decoder/embeddings/weight")?;
    if tokens != tokens_known {
        return Err(format!("it has {tokens} embeddings for {tokens_known} tokens"));
    }
    for (name, array) in weights.arrays() {
        if array.shape.is_empty() {
            check_number(name, array)?;
        } else {
            let lengths = lengths(weights, name, (tokens, width))
                .ok_or_else(|| format!("it has an array `{name}`, which no such model has"))?;
            if !lengths.fit(&array.shape) {
                return Err(format!("its array `{name}` has the lengths {:?} instead of {lengths:?}", array.shape));
            }
        }
    }
    let most = weights.arrays().count();
    let layers = |side: &str| (0..most).take_while(|layer| has_layer(weights, side, *layer)).count();
    let (encoder_layers, decoder_layers) = (layers("encoder"), layers("decoder"));
    if encoder_layers == 0 || decoder_layers == 0 {
        return Err("it has no layers".to_owned());
    }
    for layer in 0..decoder_layers {
        // Without it a layer would be taken for one that does not look at what was encoded.
        weights.shape::<2>(&format!("decoder/layer_{layer}/attention/linear_0/weight"))?;
    }
    heads(weights, "encoder", width)?;
    let decoder_heads = heads(weights, "decoder", width)?;
    check_alignment(weights, (decoder_layers, decoder_heads))?;
    Ok(Sizes { decoder_layers, decoder_heads })
}

/// What the lengths of an array have to be; `None` is any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lengths(Vec<Option<usize>>);

impl Lengths {
    fn fit(&self, shape: &[usize]) -> bool {
        shape.len() == self.0.len()
            && self.0.iter().zip(shape).all(|(wanted, found)| wanted.is_none_or(|w| w == *found))
    }
}

/// The lengths of an array by its name; `None` where no such model has one of that name.
fn lengths(weights: &Weights, name: &str, (tokens, width): (usize, usize)) -> Option<Lengths> {
    let exactly = |axes: &[usize]| Some(Lengths(axes.iter().copied().map(Some).collect()));
    if let Some(of) = name.strip_suffix("_scale") {
        // One for each row of the array that it belongs to.
        return exactly(&[*weights.find(of)?.first()?]);
    }
    let (_, within) = name.split_once('/')?;
    let (layer, part) = match within.strip_prefix("layer_").and_then(|rest| rest.split_once('/')) {
        Some((number, part)) if number.bytes().all(|b| b.is_ascii_digit()) => (true, part),
        _ => (false, within),
    };
    if part.ends_with("layer_norm/gamma")
        || part.ends_with("layer_norm/beta")
        || part.starts_with("layernorm_embedding/")
    {
        return exactly(&[width]);
    }
    match part {
        "embeddings/weight" | "embeddings_0/weight" | "projection/weight" if !layer => {
            return exactly(&[tokens, width]);
        }
        "projection/bias" if !layer => return exactly(&[tokens]),
        "position_encodings/encodings" if !layer => return Some(Lengths(vec![None, Some(width)])),
        "conv1/weight" if !layer => return Some(Lengths(vec![Some(width), None, Some(3)])),
        "conv2/weight" if !layer => return exactly(&[width, width, 3]),
        "conv1/bias" | "conv2/bias" if !layer => return exactly(&[width]),
        _ => {}
    }
    let (scope, kind) = part.rsplit_once('/').filter(|_| layer)?;
    let inner =
        *weights.find(&format!("{}/ffn/linear_0/weight", name.strip_suffix(part)?.strip_suffix('/')?))?.first()?;
    let (rows, columns) = match scope {
        "self_attention/linear_0" => (3 * width, width),
        "attention/linear_1" => (2 * width, width),
        "self_attention/linear_1" | "attention/linear_0" | "attention/linear_2" => (width, width),
        "ffn/linear_0" => (inner, width),
        "ffn/linear_1" => (width, inner),
        _ => return None,
    };
    match kind {
        "weight" => exactly(&[rows, columns]),
        "bias" => exactly(&[rows]),
        _ => None,
    }
}

fn check_number(name: &str, array: &Array) -> Result<(), String> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let fixed = FIXED.iter().find(|(known, _)| *known == last);
    let is_foreign = FOREIGN.contains(&last) || fixed.is_some_and(|(_, value)| array.number != Some(*value));
    if is_foreign { Err(format!("its setting `{name}` is that of another sort of model")) } else { Ok(()) }
}

fn has_layer(weights: &Weights, side: &str, layer: usize) -> bool {
    let start = format!("{side}/layer_{layer}/");
    weights.arrays().any(|(name, _)| name.starts_with(&start))
}

/// The heads of each layer, which share its width.
fn heads(weights: &Weights, side: &str, width: usize) -> Result<usize, String> {
    let number = weights.number(&format!("{side}/num_heads")).unwrap_or(USUAL_HEADS);
    match usize::try_from(number) {
        Ok(heads) if heads > 0 && width.is_multiple_of(heads) => Ok(heads),
        _ => Err(format!("its {side} has {number} heads for a width of {width}")),
    }
}

/// The layer and the heads that tell which word became which.
fn check_alignment(weights: &Weights, (layers, heads): (usize, usize)) -> Result<(), String> {
    let layer = weights.number("decoder/alignment_layer").unwrap_or(-1);
    let wanted = weights.number("decoder/alignment_heads").unwrap_or(1);
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (layers, heads) = (whole(layers), whole(heads));
    if (-layers..layers).contains(&layer) && (0..=heads).contains(&wanted) {
        Ok(())
    } else {
        Err(format!("its layer {layer} or the {wanted} heads of it that align words are not there"))
    }
}
