// uPlot, fetched with the first plot: lines over time, one cursor for all of a page, a stretch of time chosen with the mouse.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Schema } from '../../lib/api';
import { reading, type Line } from './metrics';

/** Left of every plot, so that all begin at the same place. */
export const AXIS_PX = 56;
export const RIGHT_PX = 10;

export type Mark = { at: number; kind: 'fault' | 'session' | 'alarm'; id: string; href: string };

type Options = { range: [number, number]; height: number; lines: readonly Line[]; marks: readonly Mark[]; choose: (range: [number, number] | undefined) => void };

const COLOURS = { light: ['#1f5f8f', '#b3261e', '#246b3c', '#7a5c00', '#7a3f9d', '#a84a00'], dark: ['#7db8e8', '#ff8a80', '#7fce96', '#e8c95a', '#d3a4f0', '#ffab6b'] };
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [12, 4], [4, 6]];

export function tabled(reports: readonly Schema['HealthReport'][], lines: readonly Line[]): uPlot.AlignedData {
  return [reports.map((one) => Date.parse(one.at) / 1000), ...lines.map((line) => reports.map((one) => one.metrics[line.metric] ?? null))];
}

export class Plotted {
  readonly #plot: uPlot;
  readonly #resize: ResizeObserver;
  #range: [number, number];
  #marks: readonly Mark[];

  constructor(place: HTMLElement, data: uPlot.AlignedData, { range, height, lines, marks, choose }: Options) {
    this.#range = range;
    this.#marks = marks;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const colours = COLOURS[document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'];
    const axis = { stroke: colour('--faint'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') }, font: '12px system-ui' };
    this.#plot = new uPlot(
      {
        width: Math.max(place.clientWidth, 200),
        height,
        padding: [8, RIGHT_PX, 0, 0],
        scales: { x: { range: () => this.#range } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((tick) => label(tick, this.#range)) },
          { ...axis, size: AXIS_PX, values: (_, ticks) => ticks.map(reading) },
        ],
        series: [
          { value: (_, at) => (at == null ? '—' : new Date(at * 1000).toLocaleString(document.documentElement.lang, { hour12: false })) },
          ...lines.map((line, i) => ({ label: line.label, stroke: colours[i % colours.length] ?? '#888', dash: DASHES[i % DASHES.length] ?? [], width: 1.5, spanGaps: false, points: { show: false }, value: (_: uPlot, value: number | null) => reading(value) })),
        ],
        cursor: { sync: { key: 'health' }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => { choose(undefined); return null; } } },
        legend: { live: true },
        hooks: {
          setSelect: [(plot) => {
            if (plot.select.width < 4) return;
            const chosen: [number, number] = [plot.posToVal(plot.select.left, 'x'), plot.posToVal(plot.select.left + plot.select.width, 'x')];
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            choose(chosen);
          }],
          draw: [(plot) => {
            const { ctx, bbox } = plot;
            ctx.save();
            ctx.lineWidth = 1;
            for (const mark of this.#marks) {
              if (mark.at < this.#range[0] || mark.at > this.#range[1]) continue;
              const x = plot.valToPos(mark.at, 'x', true);
              ctx.strokeStyle = colour(mark.kind === 'session' ? '--accent' : mark.kind === 'fault' ? '--critical' : '--major');
              ctx.setLineDash(mark.kind === 'session' ? [] : [3, 3]);
              ctx.beginPath();
              ctx.moveTo(x, bbox.top);
              ctx.lineTo(x, bbox.top + bbox.height);
              ctx.stroke();
            }
            ctx.restore();
          }],
        },
      },
      data,
      place,
    );
    this.#resize = new ResizeObserver(() => {
      if (place.clientWidth > 0) this.#plot.setSize({ width: place.clientWidth, height });
    });
    this.#resize.observe(place);
  }

  set(data: uPlot.AlignedData, range: [number, number], marks: readonly Mark[]): void {
    this.#range = range;
    this.#marks = marks;
    this.#plot.setData(data, true);
  }

  end(): void {
    this.#resize.disconnect();
    this.#plot.destroy();
  }
}

function label(tick: number, range: readonly [number, number]): string {
  const date = new Date(tick * 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const [time, day] = [`${two(date.getHours())}:${two(date.getMinutes())}`, `${two(date.getMonth() + 1)}-${two(date.getDate())}`];
  const length = range[1] - range[0];
  if (length > 4 * 86_400) return day;
  if (length > 86_400) return time === '00:00' ? day : `${day} ${time}`;
  return length < 600 ? `${time}:${two(date.getSeconds())}` : time;
}
