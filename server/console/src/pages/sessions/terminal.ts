// xterm.js under a strict content security policy. It adds style sheets of its own (they get the page's nonce), and style attributes as
// text (they go through the CSSOM, which the policy allows).

import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';

export type Renderer = 'webgl' | 'dom';

const SCROLLBACK = 10_000;

function make(document: Document): Document['createElement'] {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
  const real = Document.prototype.createElement;
  return ((name: string, options?: ElementCreationOptions) => {
    const element = real.call(document, name, options);
    if (name === 'style') element.nonce = nonce;
    else if (name === 'span') element.setAttribute = setAttribute;
    return element;
  }) as Document['createElement'];
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

function allowed(document: Document): Document {
  const createElement = make(document);
  return new Proxy(document, {
    get(target, name) {
      if (name === 'createElement') return createElement;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

const DARK = { background: '#101316', foreground: '#e3e7e8', cursor: '#7db8e8', selectionBackground: '#35516a' };

export class Screen {
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  readonly #fit = new FitAddon();
  #webgl: { dispose(): void } | undefined;
  renderer: Renderer = 'dom';

  constructor(
    readonly element: HTMLElement,
    { readOnly, label, size }: { readOnly: boolean; label: string; size?: { cols: number; rows: number } },
  ) {
    this.terminal = new Terminal({
      documentOverride: allowed(document),
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
    // While it opens it asks the window's document itself for one of its style sheets.
    document.createElement = make(document);
    try {
      this.terminal.open(element);
    } finally {
      delete (document as { createElement?: unknown }).createElement;
    }
    this.terminal.textarea?.setAttribute('aria-label', label);
  }

  /** As large as its place; says the new size. */
  fit(): { cols: number; rows: number } {
    this.#fit.fit();
    return { cols: this.terminal.cols, rows: this.terminal.rows };
  }

  /** False when the browser has no WebGL, or has lost it: what is drawn by the page itself goes on. */
  async use(renderer: Renderer, lost: () => void): Promise<boolean> {
    this.#webgl?.dispose();
    this.#webgl = undefined;
    this.renderer = 'dom';
    if (renderer === 'dom') return true;
    try {
      const { WebglAddon } = await import('@xterm/addon-webgl');
      const addon = new WebglAddon();
      addon.onContextLoss(() => {
        addon.dispose();
        this.#webgl = undefined;
        this.renderer = 'dom';
        lost();
      });
      this.terminal.loadAddon(addon);
      this.#webgl = addon;
      this.renderer = 'webgl';
      return true;
    } catch {
      return false;
    }
  }

  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => this.terminal.write(data, resolve));
  }

  end(): void {
    this.terminal.dispose();
  }
}
