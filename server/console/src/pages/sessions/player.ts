// The player of recordings, fetched when one is shown.

import { create, type Player as Asciinema } from 'asciinema-player';
import 'asciinema-player/dist/bundle/asciinema-player.css';

export type Film = { cols: number; rows: number; events: [number, 'o' | 'r', string][] };

/** Events at exactly the wanted moment are to be seen. */
const JUST_AFTER_S = 0.001;

export class Player {
  readonly #player: Asciinema;
  playing = false;

  constructor(place: HTMLElement, film: Film, options: { speed: number; startAt: number; plays: boolean; changed: () => void }) {
    this.#player = create({ data: film, parser: (data) => data as Film }, place, {
      controls: false, fit: 'both', speed: options.speed, preload: true, autoPlay: false, terminalFontFamily: "ui-monospace, 'Noto Sans Mono CJK SC', 'Noto Sans Mono', monospace",
      cursorMode: 'steady', theme: 'asciinema',
    });
    const told = (playing: boolean) => (): void => {
      this.playing = playing;
      options.changed();
    };
    this.#player.addEventListener('playing', told(true));
    this.#player.addEventListener('pause', told(false));
    this.#player.addEventListener('ended', told(false));
    void this.seek(options.startAt).then(() => {
      if (options.plays) void this.#player.play();
    });
  }

  get time(): number {
    return this.#player.getCurrentTime() ?? 0;
  }

  /** Exactly there; what played goes on playing. */
  async seek(to: number): Promise<void> {
    await this.#player.seek(Math.max(0, to) + JUST_AFTER_S);
  }

  async toggle(): Promise<void> {
    await (this.playing ? this.#player.pause() : this.#player.play());
  }

  end(): void {
    this.#player.dispose();
  }
}
