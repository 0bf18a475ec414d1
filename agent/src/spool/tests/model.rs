//! Random appends, acknowledgements, crashes and torn ends, against a model of what must be held.

use std::collections::BTreeMap;
use std::io::Write;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize, Vec<u16>),
    Ack(usize, u8),
    Read(usize, u8, u16),
    Reopen,
    Crash,
    /// A crash, and so many bytes off the newest segment's end.
    Tear(usize, u16),
    /// A crash in the middle of a write.
    Garbage(usize, Vec<u8>),
    NewEpoch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3usize, prop::collection::vec(0..3000u16, 1..4)).prop_map(|(stream, sizes)| Step::Append(stream, sizes)),
        3 => (0..3usize, any::<u8>()).prop_map(|(stream, part)| Step::Ack(stream, part)),
        2 => (0..3usize, any::<u8>(), 0..9000u16).prop_map(|(stream, part, bytes)| Step::Read(stream, part, bytes)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => (0..3usize, 1..4000u16).prop_map(|(stream, bytes)| Step::Tear(stream, bytes)),
        1 => (0..3usize, prop::collection::vec(any::<u8>(), 1..60)).prop_map(|(stream, bytes)| Step::Garbage(stream, bytes)),
        1 => Just(Step::NewEpoch),
    ]
}

/// What the spool must hold: unacknowledged reports by sequence, and the highest number ever given in this epoch.
#[derive(Default)]
struct Model {
    held: BTreeMap<u64, Vec<u8>>,
    acked: u64,
    highest: u64,
}

fn part_of(from: u64, to: u64, part: u8) -> u64 {
    from + (to.saturating_sub(from)) * u64::from(part) / 255
}

fn check(spool: &mut Spool, models: &[Model; 3]) {
    for (stream, model) in Stream::ALL.iter().zip(models) {
        let held: Vec<_> = model.held.iter().map(|(seq, body)| (*seq, body.clone())).collect();
        let found: Vec<_> = all(spool, *stream).into_iter().filter(|(seq, _)| *seq > model.acked).collect();
        assert_eq!(found, held, "{stream}");
        assert!(spool.next_seq(*stream) > model.highest, "{stream}: numbers went back");
        assert!(spool.first_unacked(*stream) <= model.acked + 1, "{stream}: an acknowledgement that nobody gave");
    }
}

/// After bytes were cut off, what is left is a prefix, and what is missing was in those bytes.
fn torn(spool: &mut Spool, stream: usize, model: &mut Model, bytes: u16) {
    let found = all(spool, Stream::ALL[stream]);
    let missing: Vec<_> = model.held.iter().filter(|(seq, _)| !found.iter().any(|(held, _)| held == *seq)).collect();
    if let Some((first, _)) = missing.first() {
        assert!(model.held.range(**first..).count() == missing.len(), "only the end may be missing");
        let whole: u64 = missing.iter().skip(1).map(|(_, body)| disk_bytes(body.len())).sum();
        assert!(whole < u64::from(bytes), "more is missing than was cut off");
        let first = **first;
        model.held.split_off(&first);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_holds_what_the_model_holds(steps in prop::collection::vec(step(), 1..40)) {
        let (_guard, dir) = scratch();
        // Roomy enough that nothing is dropped, small enough that segments rotate.
        let bound = 1024 * 1024;
        let mut spool = Spool::open(&dir, bound).unwrap();
        let mut models = <[Model; 3]>::default();
        let mut contents = 0u32;
        for step in steps {
            match step {
                Step::Append(stream, sizes) => {
                    let bodies: Vec<Vec<u8>> = sizes.iter().map(|size| {
                        contents += 1;
                        contents.to_le_bytes().repeat(usize::from(*size) / 4)
                    }).collect();
                    let taken = spool.append_batch(Stream::ALL[stream], &bodies).unwrap();
                    prop_assert!(taken.start > models[stream].highest);
                    models[stream].highest = taken.end - 1;
                    models[stream].held.extend(taken.zip(bodies));
                }
                Step::Ack(stream, part) => {
                    let newest = spool.next_seq(Stream::ALL[stream]) - 1;
                    let seq = part_of(models[stream].acked, newest, part);
                    spool.ack(Stream::ALL[stream], seq).unwrap();
                    models[stream].acked = seq;
                    models[stream].held.retain(|held, _| *held > seq);
                }
                Step::Read(stream, part, bytes) => {
                    let model = &models[stream];
                    let from = part_of(model.acked + 1, model.highest + 1, part);
                    let found = spool.read_from(Stream::ALL[stream], from, usize::from(bytes)).unwrap();
                    let expected: Vec<_> = model.held.range(from..).map(|(seq, body)| (*seq, body.clone())).take(found.len()).collect();
                    prop_assert_eq!(&found, &expected);
                    prop_assert_eq!(found.is_empty(), model.held.range(from..).next().is_none());
                    let total: usize = found.iter().map(|(_, body)| body.len()).sum();
                    prop_assert!(found.len() == 1 || total <= usize::from(bytes));
                }
                Step::Reopen => {
                    drop(spool);
                    spool = Spool::open(&dir, bound).unwrap();
                }
                Step::Crash => {
                    crash(spool);
                    spool = Spool::open(&dir, bound).unwrap();
                }
                Step::Tear(stream, bytes) => {
                    spool.append(Stream::ALL[stream], b"").map(|seq| {
                        models[stream].highest = seq;
                        models[stream].held.insert(seq, Vec::new());
                    }).unwrap();
                    crash(spool);
                    cut(&newest(&dir, Stream::ALL[stream]), u64::from(bytes));
                    spool = Spool::open(&dir, bound).unwrap();
                    torn(&mut spool, stream, &mut models[stream], bytes);
                }
                Step::Garbage(stream, bytes) => {
                    spool.append(Stream::ALL[stream], b"").map(|seq| {
                        models[stream].highest = seq;
                        models[stream].held.insert(seq, Vec::new());
                    }).unwrap();
                    crash(spool);
                    OpenOptions::new().append(true).open(newest(&dir, Stream::ALL[stream])).unwrap().write_all(&bytes).unwrap();
                    spool = Spool::open(&dir, bound).unwrap();
                }
                Step::NewEpoch => {
                    // The server's word first, so that the model and the spool agree on what is unacknowledged.
                    for (stream, model) in Stream::ALL.iter().zip(&models) {
                        spool.ack(*stream, model.acked).unwrap();
                    }
                    spool.start_new_epoch().unwrap();
                    for model in &mut models {
                        let first = model.held.keys().next().copied().unwrap_or(1);
                        let held = std::mem::take(&mut model.held);
                        model.held = held.into_iter().map(|(seq, body)| (seq - first + 1, body)).collect();
                        model.acked = 0;
                        model.highest = model.held.keys().last().copied().unwrap_or(0);
                    }
                }
            }
            check(&mut spool, &models);
        }
    }
}
