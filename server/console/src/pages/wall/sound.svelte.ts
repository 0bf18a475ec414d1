// A sound for each severity, made on the spot. A wall has a mute of its own, and shows it.

import { remembered } from '../../lib/remembered.svelte';
import type { Severity } from './countdown';

type Note = { hz: number; at: number; for: number };

/** The worse, the more notes and the higher: they are told apart also by who sees no colours. */
const TUNES: Record<Severity, readonly Note[]> = {
  critical: [0, 0.22, 0.44, 0.9, 1.12, 1.34].map((at) => ({ hz: 988, at, for: 0.16 })),
  major: [0, 0.3, 0.6].map((at) => ({ hz: 784, at, for: 0.2 })),
  minor: [0, 0.35].map((at) => ({ hz: 587, at, for: 0.22 })),
  warning: [{ hz: 440, at: 0, for: 0.25 }],
  indeterminate: [{ hz: 349, at: 0, for: 0.25 }],
};
const LOUDNESS = 0.18;

class Sound {
  #kept = remembered<'on' | 'off'>('wall.sound', 'on', (text) => (text === 'on' || text === 'off' ? text : undefined));
  #context: AudioContext | undefined;
  /** The browser makes no sound before somebody has touched the page. */
  blocked = $state(false);

  get on(): boolean {
    return this.#kept.value === 'on';
  }

  toggle(): void {
    this.#kept.value = this.on ? 'off' : 'on';
  }

  /** Says whether it could, before there is anything to tell; whoever touches the page lets it. */
  begin(): () => void {
    const touched = (): void => void this.#wake();
    touched();
    for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, touched);
    return () => {
      for (const kind of ['pointerdown', 'keydown']) removeEventListener(kind, touched);
    };
  }

  /** For news: says nothing while muted. */
  tell(severity: Severity): void {
    if (this.on) void this.play(severity);
  }

  async play(severity: Severity): Promise<void> {
    const context = await this.#wake();
    if (context && !this.blocked) for (const note of TUNES[severity]) this.#note(context, note);
  }

  async #wake(): Promise<AudioContext | undefined> {
    try {
      const context = (this.#context ??= new AudioContext());
      if (context.state === 'suspended') await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 300))]);
      this.blocked = context.state !== 'running';
      return context;
    } catch {
      // A machine without a sound card is a wall all the same.
      this.blocked = true;
      return undefined;
    }
  }

  #note(context: AudioContext, { hz, at, for: length }: Note): void {
    const [from, to] = [context.currentTime + at, context.currentTime + at + length];
    const [tone, loudness] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = hz;
    // Without the edges it would click.
    loudness.gain.setValueAtTime(0, from);
    loudness.gain.linearRampToValueAtTime(LOUDNESS, from + 0.02);
    loudness.gain.setValueAtTime(LOUDNESS, to - 0.03);
    loudness.gain.linearRampToValueAtTime(0, to);
    tone.connect(loudness).connect(context.destination);
    tone.start(from);
    tone.stop(to);
  }
}

export const sound = new Sound();
