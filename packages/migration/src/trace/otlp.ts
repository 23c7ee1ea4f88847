/** Metrics as OTLP in JSON (opentelemetry-proto, metrics/v1): what a collector takes at `/v1/metrics`. */
import type { Histogram, MigrationMetrics } from './metrics.ts';

/** Temporality: since `startTimeUnixNano`. */
const CUMULATIVE = 2;

interface Point {
  readonly attributes: readonly object[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

/**
 * All metrics now.
 *
 * @param resource e.g. `service.name` and `service.instance.id`
 * @param nowNs the date, in ns since 1970
 */
export function otlpMetrics(
  metrics: MigrationMetrics,
  resource: Readonly<Record<string, string>>,
  nowNs: bigint,
): object {
  const point = (attributes: Readonly<Record<string, string>>): Point => ({
    attributes: keyValues(attributes),
    startTimeUnixNano: String(metrics.startNs),
    timeUnixNano: String(nowNs),
  });
  const byName = new Map<string, { name: string; unit: string; description: string; [data: string]: unknown }>();
  for (const [i, { kind, name, unit, description, attributes }] of metrics.values.entries()) {
    const dataPoint = { ...point(attributes), asDouble: metrics.numbers[i]! };
    const data = kind === 'gauge' ? 'gauge' : 'sum';
    const known = byName.get(name)?.[data] as { dataPoints: object[] } | undefined;
    if (known !== undefined) known.dataPoints.push(dataPoint);
    else if (kind === 'gauge') byName.set(name, { name, unit, description, gauge: { dataPoints: [dataPoint] } });
    else
      byName.set(name, {
        name,
        unit,
        description,
        sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints: [dataPoint] },
      });
  }
  for (const histogram of metrics.histograms) {
    if (histogram.count === 0) continue;
    const { name, unit, description } = histogram.instrument;
    const dataPoint = { ...point(histogram.attributes), ...buckets(histogram) };
    const known = byName.get(name)?.['histogram'] as { dataPoints: object[] } | undefined;
    if (known !== undefined) known.dataPoints.push(dataPoint);
    else
      byName.set(name, {
        name,
        unit,
        description,
        histogram: { aggregationTemporality: CUMULATIVE, dataPoints: [dataPoint] },
      });
  }
  return {
    resourceMetrics: [
      {
        resource: { attributes: keyValues(resource) },
        scopeMetrics: [{ scope: { name: '@sterna/migration' }, metrics: [...byName.values()] }],
      },
    ],
  };
}

function buckets({ bounds, counts, sum, count, min, max }: Histogram): object {
  return { count: String(count), sum, min, max, bucketCounts: [...counts].map(String), explicitBounds: bounds };
}

function keyValues(attributes: Readonly<Record<string, string>>): object[] {
  return Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}
