/**
 * How long a page may take, and with `SLOW=1` a slow machine at the end of a slow line, on which tests that pass on a fast one alone
 * show themselves.
 */
export async function pace(page) {
  page.setDefaultTimeout(process.env.SLOW ? 60_000 : 20_000);
  if (!process.env.SLOW) return;
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await devtools.send('Network.emulateNetworkConditions', { offline: false, latency: 250, downloadThroughput: -1, uploadThroughput: -1 });
}
