// Coastlines, and nothing else: every map of borders offends somebody, and no fault lies on one. The file is fetched when a map is
// shown, and is of Natural Earth (public domain).

import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import type { FeatureCollection } from 'geojson';
import file from 'world-atlas/land-110m.json?url';

let land: Promise<FeatureCollection> | undefined;

export function coastlines(): Promise<FeatureCollection> {
  land ??= fetch(file)
    .then(async (answer) => {
      if (!answer.ok) throw new Error(`the map answered ${answer.status}`);
      const topology = (await answer.json()) as Topology<{ land: GeometryCollection }>;
      return feature(topology, topology.objects.land);
    })
    .catch((error: unknown) => {
      // Next time it is tried again.
      land = undefined;
      throw error;
    });
  return land;
}

export type Place = { latitude_deg: number; longitude_deg: number };

/** Where something lies on the page. */
export type Projection = { place: (lon: number, lat: number) => [number, number]; turn: number };

const wrapped = (lon: number): number => ((((lon + 180) % 360) + 360) % 360) - 180;

/** Shows all places, with some room around; the whole world when there are none. Degrees are of one length, right for the middle. */
export function projection(places: readonly Place[], width: number, height: number): Projection {
  // Around the middle of the places, so that what lies on both sides of the date line is not torn apart.
  const middle = places.reduce((sum, place) => sum + place.longitude_deg, 0) / Math.max(places.length, 1);
  // A map of one town shows its country, or the coast says nothing.
  const half = 9;
  const lons = places.flatMap(({ longitude_deg: lon }) => [wrapped(lon - middle) - half, wrapped(lon - middle) + half]);
  const lats = places.flatMap(({ latitude_deg: lat }) => [Math.max(-85, lat - half), Math.min(85, lat + half)]);
  const [west, east] = places.length === 0 ? [-180, 180] : [Math.min(...lons), Math.max(...lons)];
  const [south, north] = places.length === 0 ? [-85, 85] : [Math.min(...lats), Math.max(...lats)];
  const narrow = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const edge = Math.min(width, height) * 0.09;
  const scale = Math.min((width - 2 * edge) / ((east - west) * narrow), (height - 2 * edge) / (north - south));
  const [x, y] = [(west + east) / 2, (south + north) / 2];
  return {
    place: (lon, lat) => [width / 2 + (wrapped(lon - middle) - x) * narrow * scale, height / 2 - (lat - y) * scale],
    turn: 360 * narrow * scale,
  };
}

/** The coast as a path. A ring that crosses the edge of the map goes on beyond it, and is drawn again where it comes in. */
export function coast(shapes: FeatureCollection, by: Projection, width: number): string {
  const path: string[] = [];
  const rings = shapes.features.flatMap(({ geometry }) => (geometry.type === 'MultiPolygon' ? geometry.coordinates.flat() : geometry.type === 'Polygon' ? geometry.coordinates : []));
  for (const ring of rings) {
    let [before, shift] = [0, 0];
    const points = ring.map(([lon = 0, lat = 0], i): [number, number] => {
      const [x, y] = by.place(lon, lat);
      if (i > 0 && Math.abs(x - before) > by.turn / 2) shift += x > before ? -by.turn : by.turn;
      before = x;
      return [x + shift, y];
    });
    const [least, most] = [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
    for (const turn of [-by.turn, 0, by.turn]) {
      if (most + turn < 0 || least + turn > width) continue;
      path.push(`M${points.map(([x, y]) => `${(x + turn).toFixed(1)} ${y.toFixed(1)}`).join('L')}Z`);
    }
  }
  return path.join('');
}
