//! A sentence encoder of the XLM-RoBERTa kind with 4-bit weights, run in plain Rust.
//!
//! The weights come in one file (see [`file`]). A text becomes pieces ([`tokenizer`]), pieces become vectors that look at each other
//! through every layer ([`encoder`]), and their mean, brought to length one, is what the text means.
//!
//! The layers' weights are kept as 16-bit integers, about 42 MB for multilingual-e5-small: the products of two 16-bit numbers are what
//! every processor multiplies fastest. The table of word vectors is four fifths of the file, and a text needs a few rows of it: they are
//! read from the file when they are needed, so the table takes no memory of the process.

mod encoder;
mod file;
mod tokenizer;
#[cfg(test)]
pub mod tiny;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use self::encoder::Encoder;
use self::file::{BLOCK_BYTES, BLOCK_WEIGHTS};
use self::tokenizer::Tokenizer;

/// Of a text that is looked at: more can't be more than [`MOST_WINDOWS`] windows of pieces in any language.
const MOST_CHARS: usize = 16_000;
/// A longer text is cut into windows of what the model can take at once, whose means are averaged; after these, the text is cut off.
const MOST_WINDOWS: usize = 2;
/// Of a question. It is to be answered while somebody types, and who asks says what matters first.
const MOST_QUESTION_PIECES: usize = 48;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the model can't be read")]
    Read(#[from] std::io::Error),
    #[error("the model's file is damaged: {0}")]
    Damaged(&'static str),
}

/// What a text is: questions and what they are compared with are told apart by a first word, as the model was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Question,
    Passage,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Question => "query: ",
            Self::Passage => "passage: ",
        }
    }
}

#[derive(Debug)]
pub struct Model {
    file: File,
    words: file::Tensor,
    tokenizer: Tokenizer,
    encoder: Encoder,
}

impl Model {
    /// Reads a model. `sha256` is asked with the whole file before anything in it is believed.
    pub fn open(path: &Path, is_genuine: impl FnOnce(&[u8]) -> bool) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if !is_genuine(&bytes) {
            return Err(Error::Damaged("it is not the file that was installed"));
        }
        let image = file::Image::parse(&bytes)?;
        let words = image.tensor("emb.word")?;
        if words.bytes != image.shape.vocabulary * image.shape.hidden / BLOCK_WEIGHTS * BLOCK_BYTES {
            return Err(Error::Damaged("the table of words has another size"));
        }
        let tokenizer = Tokenizer::new(&image)?;
        let encoder = Encoder::new(&image)?;
        Ok(Self { file, words, tokenizer, encoder })
    }

    pub fn dimensions(&self) -> usize {
        self.encoder.hidden
    }

    /// What a text means: a vector of length one.
    pub fn embed(&self, kind: Kind, text: &str) -> Result<Box<[f32]>, Error> {
        let text: String = text.trim().chars().take(MOST_CHARS).collect();
        let mut pieces = self.tokenizer.pieces(&format!("{}{text}", kind.prefix()));
        if kind == Kind::Question {
            pieces.truncate(MOST_QUESTION_PIECES);
        }
        let mut sum = vec![0.0; self.encoder.hidden];
        for window in pieces.chunks(self.encoder.positions - 2).take(MOST_WINDOWS) {
            let mean = self.encoder.mean(self.words_of(window)?);
            sum.iter_mut().zip(mean).for_each(|(sum, mean)| *sum += mean * window.len() as f32);
        }
        Ok(unit(&sum))
    }

    /// The word vectors of a window, between the marks of its beginning and end.
    fn words_of(&self, window: &[u32]) -> Result<Vec<f32>, Error> {
        let hidden = self.encoder.hidden;
        let mut vectors = Vec::with_capacity((window.len() + 2) * hidden);
        let mut row = vec![0; hidden / BLOCK_WEIGHTS * BLOCK_BYTES];
        let pieces = std::iter::once(self.tokenizer.begin).chain(window.iter().copied()).chain([self.tokenizer.end]);
        for piece in pieces {
            let offset = self.words.offset + piece as usize * row.len();
            self.file.read_exact_at(&mut row, offset as u64)?;
            file::unpack(&row, &mut vectors);
        }
        Ok(vectors)
    }
}

/// The same direction, of length one.
pub fn unit(vector: &[f32]) -> Box<[f32]> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.iter().map(|x| x / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Model, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        std::fs::write(&path, bytes).unwrap();
        Model::open(&path, |_| true)
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn a_text_has_a_direction_of_its_own() {
        let model = open(&tiny::image(1)).unwrap();
        let passage = |text: &str| model.embed(Kind::Passage, text).unwrap();
        let (fan, power) = (passage("fan stopped on board"), passage("power lost"));
        for vector in [&fan, &power] {
            assert_eq!(vector.len(), 64);
            assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
        }
        assert_eq!(fan, passage("  fan  stopped on\tboard "));
        assert!(cosine(&fan, &power) < 0.99);
        let question = model.embed(Kind::Question, "fan stopped on board").unwrap();
        assert!(question != fan && cosine(&question, &fan) > cosine(&question, &power));
        assert_ne!(open(&tiny::image(2)).unwrap().embed(Kind::Passage, "fan").unwrap(), passage("fan"));
    }

    #[test]
    fn order_counts_and_whatever_is_asked_is_answered() {
        let model = open(&tiny::image(1)).unwrap();
        let ask = |text: &str| model.embed(Kind::Question, text).unwrap();
        assert_ne!(ask("fan power"), ask("power fan"));
        let long = "fan power ".repeat(2_000);
        for text in
            ["", " ", "\0", "😀🚀", "</s><s><unk>", "' OR 1=1 --", "((((((a+)+)+)+", "\u{202e}\u{200b}", "é".repeat(9_000).as_str(), &long]
        {
            let vector = ask(text);
            assert!(vector.iter().all(|x| x.is_finite()) && (cosine(&vector, &vector) - 1.0).abs() < 1e-4, "{text:.20}");
        }
        // A question is cut off; a text has a second window, and no third.
        let words = |count: usize| "fan power ".repeat(count / 2);
        let passage = |text: &str| model.embed(Kind::Passage, text).unwrap();
        assert_eq!(ask(&format!("{}light", words(60))), ask(&words(60)));
        assert_ne!(passage(&format!("{}light", words(40))), passage(&words(40)));
        assert_eq!(passage(&format!("{}light", words(80))), passage(&words(80)));
    }

    #[test]
    fn a_damaged_file_is_refused_or_answers_something() {
        let image = tiny::image(1);
        for end in (0..image.len()).step_by(97).chain([image.len() - 1]) {
            let is_whole = file::Image::parse(&image[..end]).is_ok_and(|image| Encoder::new(&image).is_ok());
            assert!(!is_whole, "{end} of {} bytes", image.len());
        }
        for (at, byte) in (0..3_000).zip([0, 0x7f, 0xff].into_iter().cycle()) {
            let mut image = image.clone();
            image[at] = byte;
            if let Ok(tokenizer) = file::Image::parse(&image).and_then(|image| Tokenizer::new(&image)) {
                tokenizer.pieces("fan 风扇 x");
            }
        }
        for at in (0..100).step_by(4).chain((3_000..image.len()).step_by(3_001)) {
            let mut image = image.clone();
            image[at + 1] ^= 0x7f;
            if let Ok(model) = open(&image) {
                let _ = model.embed(Kind::Question, "fan 风扇 x");
            }
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Model::open(&dir.path().join("none"), |_| true), Err(Error::Read(_))));
    }

    /// What the package's own program makes of some texts: the first dimensions of each vector. `LINEMAN_MODEL` names the model's file, such
    /// as `semantics/model.bin` beside a server's database.
    #[test]
    fn the_real_model_answers_as_its_own_program_does() {
        let Some(path) = std::env::var_os("LINEMAN_MODEL") else { return };
        let model = Model::open(Path::new(&path), |_| true).unwrap();
        let known = [
            (Kind::Question, "optical module receives no power after board swap", [0.0472, -0.0157, -0.0312, -0.0145, 0.0667, -0.0374]),
            (Kind::Passage, "optical module receives no power after board swap", [0.0182, 0.0218, -0.0027, -0.0507, 0.0943, -0.0166]),
            (Kind::Question, "光模块更换单板后收不到光", [0.0628, -0.0118, -0.0208, -0.0320, 0.1105, -0.0173]),
            (Kind::Passage, "光模块更换单板后收不到光", [0.0517, -0.0134, -0.0090, -0.0530, 0.1190, 0.0152]),
            (Kind::Question, "ＺＸＲ１０ ８９０２Ｅ 全角文字", [0.0683, -0.0451, -0.0419, -0.0000, 0.0510, -0.0439]),
        ];
        for (kind, text, begins) in known {
            let vector = model.embed(kind, text).unwrap();
            let is_near = vector.iter().zip(begins).all(|(x, known): (&f32, f32)| (x - known).abs() < 0.004);
            assert!(is_near, "{kind:?} {text}: {:?}", &vector[..begins.len()]);
        }
        // The same in the other language is nearer than something else in the same one.
        let ask = |text| model.embed(Kind::Question, text).unwrap();
        let passage = |text| model.embed(Kind::Passage, text).unwrap();
        let question = ask("光模块更换单板后收不到光");
        let (same, other) = (passage("optical module receives no power after board swap"), passage("怎么修改登录密码"));
        assert!(cosine(&question, &same) > cosine(&question, &other));
    }
}
