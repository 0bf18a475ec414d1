//! A model as small as can be, in the format of the real one: random weights and a few words.

/// In the order of their numbers: marks first, and then what tests write.
const PIECES: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const WORDS: [&str; 14] =
    ["▁fan", "▁query", "▁passage", "▁power", "▁lost", "风扇", "▁risk", "▁board", "▁hot", "告警", "▁stopped", "▁no", "▁light", "é"];
const LETTERS: &str = "▁abcdefghijklmnopqrstuvwxyz:0123456789-.风扇光";
const HIDDEN: usize = 64;
const INNER: usize = 128;
const POSITIONS: usize = 32;
const LAYERS: usize = 2;

/// The file. Two seeds make two models.
pub fn image(seed: u64) -> Vec<u8> {
    let mut pieces: Vec<(String, f32)> = PIECES.iter().map(|mark| ((*mark).to_owned(), 0.0)).collect();
    pieces.extend(WORDS.iter().map(|word| ((*word).to_owned(), -2.0)));
    pieces.extend(LETTERS.chars().map(|letter| (letter.to_string(), -4.0)));
    let mut file = b"E5S1".to_vec();
    let numbers = [1, HIDDEN, LAYERS, 2, INNER, pieces.len(), POSITIONS, 1];
    for number in numbers {
        push(&mut file, number);
    }
    file.extend(1e-12f32.to_le_bytes());
    push(&mut file, 32);
    for number in [pieces.len(), 0, 2, 1, 3] {
        push(&mut file, number);
    }
    let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
    file.extend((text.len() as u64).to_le_bytes());
    let mut end = 0;
    push(&mut file, end);
    for (piece, _) in &pieces {
        end += piece.len();
        push(&mut file, end);
    }
    for (_, score) in &pieces {
        file.extend(score.to_le_bytes());
    }
    file.extend(text.as_bytes());
    replacements(&mut file);
    tensors(&mut file, pieces.len(), seed);
    file
}

fn push(file: &mut Vec<u8>, number: usize) {
    file.extend(u32::try_from(number).expect("a small number").to_le_bytes());
}

/// A tab is a space, a control character is nothing, and the full width has its usual one.
fn replacements(file: &mut Vec<u8>) {
    let mut table: Vec<(char, String)> = vec![('\u{1}', String::new()), ('\t', " ".to_owned())];
    table.extend(('ａ'..='ｚ').zip('a'..='z').map(|(wide, letter)| (wide, letter.to_string())));
    let mut bytes = Vec::new();
    for (from, to) in &table {
        push(&mut bytes, *from as usize);
        bytes.push(u8::try_from(to.chars().count()).expect("a small number"));
        to.chars().for_each(|c| push(&mut bytes, c as usize));
    }
    push(file, table.len());
    push(file, bytes.len());
    file.extend(bytes);
}

fn tensors(file: &mut Vec<u8>, vocabulary: usize, seed: u64) {
    let mut chance = Chance(seed);
    let mut parts: Vec<(String, Vec<u8>)> = vec![
        ("emb.word".into(), chance.packed(vocabulary * HIDDEN)),
        ("emb.pos".into(), chance.floats(POSITIONS * HIDDEN, 0.0)),
        ("emb.type".into(), chance.floats(HIDDEN, 0.0)),
        ("emb.ln.w".into(), chance.floats(HIDDEN, 1.0)),
        ("emb.ln.b".into(), chance.floats(HIDDEN, 0.0)),
    ];
    for layer in 0..LAYERS {
        for (name, rows, columns) in [
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", INNER, HIDDEN),
            ("fo", HIDDEN, INNER),
        ] {
            parts.push((format!("l{layer}.{name}.w"), chance.packed(rows * columns)));
            parts.push((format!("l{layer}.{name}.b"), chance.floats(rows, 0.0)));
        }
        for name in ["aln", "oln"] {
            parts.push((format!("l{layer}.{name}.w"), chance.floats(HIDDEN, 1.0)));
            parts.push((format!("l{layer}.{name}.b"), chance.floats(HIDDEN, 0.0)));
        }
    }
    let directory: usize = 4 + parts.iter().map(|(name, _)| 2 + name.len() + 1 + 4 + 8 + 8).sum::<usize>();
    let mut offset = file.len() + directory;
    push(file, parts.len());
    for (name, bytes) in &parts {
        file.extend(u16::try_from(name.len()).expect("a small number").to_le_bytes());
        file.extend(name.as_bytes());
        file.push(0);
        push(file, 0);
        file.extend((offset as u64).to_le_bytes());
        file.extend((bytes.len() as u64).to_le_bytes());
        offset += bytes.len();
    }
    for (_, bytes) in &parts {
        file.extend(bytes);
    }
}

struct Chance(u64);

impl Chance {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_le_bytes()[6]
    }

    fn floats(&mut self, count: usize, around: f32) -> Vec<u8> {
        (0..count).flat_map(|_| (around + f32::from(self.byte().cast_signed()) / 1280.0).to_le_bytes()).collect()
    }

    /// Blocks of a scale of about 0.03 and any weights.
    fn packed(&mut self, count: usize) -> Vec<u8> {
        let mut block = || [[self.byte(), 0x27].to_vec(), (0..16).map(|_| self.byte()).collect()].concat();
        (0..count / 32).flat_map(|_| block()).collect()
    }
}
