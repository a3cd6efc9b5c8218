/**
 * Figures as SVG: each workload as a part of its limit, and the rounds of one, so that both the place and the noise are seen.
 * @module
 */
import { BarChart, CustomChart } from 'echarts/charts'
import { GridComponent, MarkLineComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { type Figure, partsOfLimit, type Report } from '../figures.ts'
import { median, spreadOf } from '../spread.ts'
import { groupTitles } from './tables.ts'

use([BarChart, CustomChart, GridComponent, MarkLineComponent, SVGRenderer, TitleComponent])

const width = 860
const rowHeight = 26
const marginTop = 60
const marginBottom = 50

/** One plot a group: bars for medians, whiskers from the worst round to the best. @returns SVG by the name of the group */
export function plots(report: Report): ReadonlyMap<string, string> {
  const drawn = new Map<string, string>()
  for (const group of Object.keys(groupTitles)) {
    const figures = report.figures.filter((one) => one.group === group && partsOfLimit(one, report).length > 0)
    if (figures.length > 0) drawn.set(group, plot(report, { title: groupTitles[group] as string, figures }))
  }
  return drawn
}

function plot(
  report: Report,
  { title, figures }: { readonly title: string; readonly figures: readonly Figure[] },
): string {
  // From the bottom up, as the axis counts.
  const rows = figures.toReversed().map((figure) => {
    const parts = partsOfLimit(figure, report).map((part) => 100 * part)
    return { name: figure.name, part: median(parts), ...spreadOf(parts) }
  })
  const height = marginTop + marginBottom + rowHeight * rows.length
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: `${title}: part of the limit of the same run, %`, textStyle: { fontSize: 15 }, left: 10, top: 10 },
    grid: { left: 330, right: 60, top: marginTop, bottom: marginBottom },
    xAxis: { type: 'value', min: 0, axisLabel: { formatter: '{value} %' } },
    yAxis: { type: 'category', data: rows.map(({ name }) => name), axisTick: { show: false } },
    series: [
      {
        type: 'bar',
        data: rows.map(({ part }) => Number(part.toFixed(1))),
        barWidth: 12,
        itemStyle: { color: '#5b7ea6' },
        label: {
          show: true,
          position: 'right',
          distance: 12,
          formatter: ({ value }: { value: unknown }) => `${Math.round(value as number)} %`,
        },
        markLine: {
          symbol: 'none',
          silent: true,
          label: { show: false },
          lineStyle: { color: '#b33' },
          data: [{ xAxis: 100 }],
        },
      },
      {
        type: 'custom',
        data: rows.map(({ least, greatest }, row) => [row, least, greatest]),
        renderItem: (_: unknown, api: WhiskerApi) => whisker(api),
        encode: { x: [1, 2], y: 0 },
        z: 3,
      },
    ],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

interface WhiskerApi {
  value(dimension: number): number
  coord(point: readonly [number, number]): [number, number]
}

function whisker(api: WhiskerApi) {
  const [row, least, greatest] = [api.value(0), api.value(1), api.value(2)]
  const [left, y] = api.coord([least, row])
  const [right] = api.coord([greatest, row])
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: 'line',
    shape: { x1, y1, x2, y2 },
    style: { stroke: '#222', lineWidth: 1.5 },
  })
  return {
    type: 'group',
    children: [line(left, y, right, y), line(left, y - 4, left, y + 4), line(right, y - 4, right, y + 4)],
  }
}
