"use strict";
// The list shows itself anew when it changes, and once a minute, because time runs out. Without this file, the page does so every ten seconds.
const shown = document.body.dataset.version;
const stream = new EventSource("live");
stream.onmessage = (event) => {
  if (event.data !== shown) location.reload();
};
setTimeout(() => location.reload(), 60000);
