// Plays what a device printed on the same terminal that sessions run on: it scrolls back, and text can be selected. Fetched when a
// recording is shown.

import { Screen } from './terminal';

export type Film = { cols: number; rows: number; events: [number, 'o' | 'r', string][] };
type Options = { label: string; speed: number; startAt: number; plays: boolean; changed: () => void };

/** Often enough that typing looks like typing. */
const STEP_MS = 33;
/** Output is written in pieces of this size; between two of them somebody may want something else. */
const PIECE = 1 << 18;
/** A letter's width and a line's height, by the size of its font. */
const [WIDTH_EM, HEIGHT_EM] = [0.602, 1.2];
const [FONT_LEAST, FONT_MOST] = [7, 16];

export class Player {
  playing = false;
  readonly #screen: Screen;
  readonly #watching: ResizeObserver;
  #next = 0;
  /** Where the film stood when it last began to run, and when that was. */
  #from: number;
  #begun = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #busy: Promise<void> = Promise.resolve();
  #wanted = 0;

  constructor(
    readonly place: HTMLElement,
    readonly film: Film,
    readonly options: Options,
  ) {
    this.#screen = new Screen(place, { readOnly: true, label: options.label, size: { cols: film.cols, rows: film.rows } });
    this.#watching = new ResizeObserver(() => this.#scale());
    this.#watching.observe(place);
    this.#scale();
    this.#from = options.startAt;
    void this.seek(options.startAt).then(() => {
      if (options.plays) this.#play();
    });
  }

  /** Seconds of the film. */
  get time(): number {
    const ran = this.playing ? ((performance.now() - this.#begun) / 1000) * this.options.speed : 0;
    return Math.min(this.#from + ran, this.#length);
  }

  get #length(): number {
    return this.film.events.at(-1)?.[0] ?? 0;
  }

  /** Exactly there, with what happened in that moment; what played goes on playing. */
  async seek(to: number): Promise<void> {
    this.#from = Math.max(0, to);
    this.#begun = performance.now();
    await this.#show(this.#from);
  }

  async toggle(): Promise<void> {
    if (this.playing) this.#pause();
    else {
      if (this.time >= this.#length) await this.seek(0);
      this.#play();
    }
  }

  end(): void {
    clearInterval(this.#timer);
    this.#wanted += 1;
    this.#watching.disconnect();
    this.#screen.end();
  }

  #play(): void {
    if (this.playing) return;
    this.#begun = performance.now();
    this.playing = true;
    this.#timer = setInterval(() => {
      void this.#show(this.time);
      if (this.time >= this.#length) this.#pause();
    }, STEP_MS);
    this.options.changed();
  }

  #pause(): void {
    this.#from = this.time;
    this.playing = false;
    clearInterval(this.#timer);
    this.options.changed();
  }

  /** One after the other; of several that wait, the last counts. */
  #show(to: number): Promise<void> {
    const own = ++this.#wanted;
    this.#busy = this.#busy.then(async () => {
      const next = this.film.events[this.#next - 1];
      if (next !== undefined && next[0] > to) {
        this.#next = 0;
        this.#screen.terminal.reset();
        this.#screen.terminal.resize(this.film.cols, this.film.rows);
      }
      while (own === this.#wanted && this.#due(to)) await this.#piece(to);
    });
    return this.#busy;
  }

  #due(to: number): boolean {
    const next = this.film.events[this.#next];
    return next !== undefined && next[0] <= to;
  }

  async #piece(to: number): Promise<void> {
    let text = '';
    while (this.#due(to) && text.length < PIECE) {
      const [, code, data] = this.film.events[this.#next] ?? [0, 'o', ''];
      if (code === 'r' && text !== '') break;
      this.#next += 1;
      if (code === 'o') text += data;
      else {
        const [cols = this.film.cols, rows = this.film.rows] = data.split('x').map(Number);
        this.#screen.terminal.resize(cols, rows);
        this.#scale();
      }
    }
    if (text !== '') await this.#screen.write(text);
  }

  /** The whole terminal is in sight, as large as that allows. */
  #scale(): void {
    const { cols, rows, options } = this.#screen.terminal;
    const most = Math.min(this.place.clientWidth / (cols * WIDTH_EM), this.place.clientHeight / (rows * HEIGHT_EM));
    options.fontSize = Math.max(FONT_LEAST, Math.min(FONT_MOST, Math.floor(most)));
  }
}
