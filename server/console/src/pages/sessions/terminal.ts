// xterm.js under a strict content security policy. It adds style sheets of its own (they get the page's nonce), and style attributes as
// text (they go through the CSSOM, which the policy allows).

import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';

const SCROLLBACK = 10_000;

let screens = 0;

/** For as long as there are terminals: xterm.js asks the window's document for its elements, in whichever place. */
function allow(): () => void {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
  const real = Document.prototype.createElement;
  screens += 1;
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = real.call(document, name, options);
    if (name === 'style') element.nonce = nonce;
    else if (name === 'span') element.setAttribute = setAttribute;
    return element;
  }) as Document['createElement'];
  return () => {
    screens -= 1;
    if (screens === 0) delete (document as { createElement?: unknown }).createElement;
  };
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

const DARK = { background: '#101316', foreground: '#e3e7e8', cursor: '#7db8e8', selectionBackground: '#35516a' };

export class Screen {
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  readonly #fit = new FitAddon();
  readonly #disallow = allow();

  constructor(
    readonly element: HTMLElement,
    { readOnly, label, size }: { readOnly: boolean; label: string; size?: { cols: number; rows: number } },
  ) {
    this.terminal = new Terminal({
      disableStdin: readOnly,
      cursorBlink: false,
      scrollback: SCROLLBACK,
      fontFamily: "ui-monospace, 'Noto Sans Mono CJK SC', 'Noto Sans Mono', monospace",
      fontSize: 14,
      theme: DARK,
      minimumContrastRatio: 4.5,
      allowProposedApi: true,
      ...size,
    });
    this.terminal.loadAddon(this.#fit);
    this.terminal.loadAddon(this.search);
    this.terminal.open(element);
    this.terminal.textarea?.setAttribute('aria-label', label);
  }

  /** As large as its place; says the new size. */
  fit(): { cols: number; rows: number } {
    this.#fit.fit();
    return { cols: this.terminal.cols, rows: this.terminal.rows };
  }

  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => this.terminal.write(data, resolve));
  }

  end(): void {
    this.terminal.dispose();
    this.#disallow();
  }
}
