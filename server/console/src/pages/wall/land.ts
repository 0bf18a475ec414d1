// Coastlines, and nothing else: every map of borders offends somebody, and no fault lies on one. The file is fetched when a map is
// shown, and is of Natural Earth (public domain).

import { geoNaturalEarth1, geoPath, type GeoProjection } from 'd3-geo';
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

/** Shows all places, with some room around; the whole world when there are none. */
export function projection(places: readonly Place[], width: number, height: number): GeoProjection {
  const whole = geoNaturalEarth1();
  const edge = Math.min(width, height) * 0.09;
  const frame: [[number, number], [number, number]] = [
    [edge, edge],
    [width - edge, height - edge],
  ];
  if (places.length === 0) return whole.fitExtent(frame, { type: 'Sphere' });
  // A map of one town shows its country, or the coast says nothing.
  const half = 9;
  const points = places.flatMap(({ latitude_deg: lat, longitude_deg: lon }) => [
    [lon - half, Math.max(-85, lat - half)],
    [lon + half, Math.min(85, lat + half)],
  ]);
  // Around the middle of the places, so that what lies on both sides of the date line is not torn apart.
  const middle = places.reduce((sum, place) => sum + place.longitude_deg, 0) / places.length;
  whole.rotate([-middle, 0]);
  return whole.fitExtent(frame, { type: 'MultiPoint', coordinates: points });
}

export function coast(shapes: FeatureCollection, by: GeoProjection, width: number, height: number): string {
  by.clipExtent([
    [-width, -height],
    [2 * width, 2 * height],
  ]);
  return geoPath(by).digits(1)(shapes) ?? '';
}
