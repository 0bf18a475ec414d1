// A wall stays up for months. It loads itself again when the server has another console, and once a day, so that whatever a browser
// piles up goes away.

const ASK_MS = 5 * 60_000;
const DAY_MS = 24 * 3_600_000;

async function version(): Promise<string | undefined> {
  try {
    const answer = await fetch('/', { method: 'HEAD', cache: 'no-store', headers: { accept: 'text/html' } });
    return answer.ok ? (answer.headers.get('etag') ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** Ends with the returned function. */
export function keepFresh(reload: () => void = () => location.reload(), every = ASK_MS): () => void {
  const begun = performance.now();
  let own: string | undefined;
  const look = async (): Promise<void> => {
    const now = await version();
    // A server that does not answer would leave an empty page.
    if (now === undefined) return;
    own ??= now;
    if (now !== own || performance.now() - begun > DAY_MS) reload();
  };
  void look();
  const timer = setInterval(() => void look(), every);
  return () => clearInterval(timer);
}
