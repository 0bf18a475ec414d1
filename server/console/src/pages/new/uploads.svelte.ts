// Files that go with a fault: kept on the page until it is filed, then sent one after the other, with how far each is.

import { failureOf } from '../../lib/failure';

export const MOST_BYTES = 20 * 1024 * 1024;

export class Upload {
  state = $state<'kept' | 'going' | 'done' | 'failed'>('kept');
  percent = $state(0);
  why = $state('');
  /** One attempt or ten, the server keeps it once. */
  readonly key = crypto.randomUUID();
  constructor(readonly file: File) {}

  async send(fault: string): Promise<void> {
    this.state = 'going';
    this.percent = 0;
    try {
      await this.#put(fault);
      this.state = 'done';
    } catch (error) {
      this.state = 'failed';
      this.why = error instanceof Error ? error.message : String(error);
    }
  }

  /** `fetch` can't tell how far an upload is. */
  #put(fault: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', `/api/v1/faults/${encodeURIComponent(fault)}/attachments?name=${encodeURIComponent(this.file.name)}`);
      request.setRequestHeader('content-type', 'application/octet-stream');
      request.setRequestHeader('idempotency-key', this.key);
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) this.percent = Math.floor((event.loaded / event.total) * 100);
      };
      request.onload = () => (request.status < 300 ? resolve() : reject(failureOf(request.status, parsed(request.responseText))));
      request.onerror = () => reject(failureOf(0, undefined));
      request.send(this.file);
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
