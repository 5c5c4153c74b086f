import 'uplot/dist/uPlot.min.css'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import { dotsOf, momentLabel, tickLabel, ticksOf } from './chart-labels.ts'
import { classes } from './style.ts'

type Ink = 'accent' | 'ok' | 'warn' | 'bad' | 'muted'

export interface ChartSeries {
  readonly label: string
  readonly ink: Ink
  /** One for each time; null is a gap, which is not zero. */
  readonly values: readonly (number | null)[]
  /** Values of another period. */
  readonly isDashed?: boolean
}

export interface ChartProps {
  /** What the chart shows, in a sentence, for people who hear it. */
  readonly summary: string
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[]
  /** First and last second that are drawn. */
  readonly range: readonly [from: number, to: number]
  readonly series: readonly ChartSeries[]
  /** A value with its unit. */
  readonly format: (value: number) => string
  /** A value at the axis. Default: without its unit, in few letters. */
  readonly axis?: (value: number) => string
  /** The last point is incomplete: it has a dot, and the legend says so. */
  readonly isRunning?: boolean
  /** Seconds of which not all is known. They are hatched. */
  readonly unknown: readonly [from: number, to: number] | null
  /** A part of the time was chosen with the pointer, in seconds. */
  readonly onBrush?: (from: number, to: number) => void
}

const HEIGHT = 200
/** Narrower parts are clicks, pixels. */
const BRUSH_MIN = 6
const TICK_WIDTH = 90
const TICK_HEIGHT = 28
const AXIS_WIDTH = 52
const HATCH_STEP = 8
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

const INK_CLASSES: Readonly<Record<Ink, string>> = {
  accent: 'border-accent',
  ok: 'border-ok',
  warn: 'border-warn',
  bad: 'border-bad',
  muted: 'border-muted',
}

/** Lines over time. A part that is chosen with the pointer is told; keyboards have the table below and the filters. */
export function Chart(props: ChartProps) {
  const { summary, times, range, series, format, unknown, isRunning = false, onBrush } = props
  const place = useRef<HTMLDivElement>(null)
  const brush = useRef(onBrush)
  brush.current = onBrush
  const [at, setAt] = useState<number | null>(null)
  const turn = useThemeTurn()
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const plot = new uPlot(
      optionsOf(props, element, setAt, (from, to) => brush.current?.(from, to)),
      [[...times], ...series.map(({ values }) => [...values])],
      element,
    )
    const sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    sizes.observe(element)
    return () => {
      sizes.disconnect()
      plot.destroy()
    }
  }, [times, series, range[0], range[1], unknown?.[0], unknown?.[1], isRunning, turn])
  const point = at !== null && times[at] !== undefined ? at : null
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <div
        role="img"
        aria-label={summary}
        ref={place}
        className="min-w-0 overflow-hidden"
        style={{ height: HEIGHT }}
      />
      <div className="flex min-h-5 flex-wrap gap-x-4 gap-y-1 text-sm">
        <span className="w-28 text-muted tabular-nums">
          {point === null ? 'Times in UTC' : momentLabel(times[point]!)}
        </span>
        {series.map(({ label, ink, isDashed = false, values }) => (
          <Legend key={label} ink={ink} isDashed={isDashed}>
            {label}
            {point !== null && (
              <span className="ml-1 font-medium tabular-nums">
                {values[point] == null ? '–' : format(values[point])}
              </span>
            )}
          </Legend>
        ))}
        {isRunning && <span className="text-muted">The last point is incomplete</span>}
        {unknown !== null && <span className="text-muted">Hatched: incomplete</span>}
      </div>
    </div>
  )
}

function Legend({ ink, isDashed, children }: { ink: Ink; isDashed: boolean; children: ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1">
      <span
        aria-hidden="true"
        className={classes('w-4 border-t-2', INK_CLASSES[ink], isDashed && 'border-dashed')}
      />
      {children}
    </span>
  )
}

function optionsOf(
  { range, series, unknown, isRunning = false, onBrush, axis: label = COMPACT.format }: ChartProps,
  element: HTMLElement,
  onPoint: (index: number | null) => void,
  onChosen: (from: number, to: number) => void,
): uPlot.Options {
  const color = inksOf(element)
  const axis = {
    stroke: color('--color-muted'),
    font: `12px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: color('--color-line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: onBrush !== undefined, y: false, setScale: false },
      bind: { dblclick: () => null },
    },
    scales: {
      x: { time: false, range: [range[0], range[1]] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        size: TICK_HEIGHT,
        splits: ({ width }, _, from, to) => [
          ...ticksOf(from, to, Math.max(2, Math.floor(width / TICK_WIDTH))),
        ],
        values: (_, splits) => splits.map(tickLabel),
      },
      { ...axis, size: AXIS_WIDTH, values: (_, splits) => splits.map((split) => label(split)) },
    ],
    series: [
      {},
      ...series.map(({ label, ink, isDashed = false }) => ({
        label,
        stroke: color(`--color-${ink}`),
        width: isDashed ? 1 : 2,
        ...(isDashed && { dash: [4, 4] }),
        points: {
          size: 5,
          // Where all points have dots, none is left out
          filter: (_: uPlot, at: number, show: boolean) =>
            show ? null : dotsOf(series[at - 1]!.values, isRunning && !isDashed),
        },
      })),
    ],
    hooks: {
      drawAxes: unknown === null ? [] : [(plot) => hatch(plot, unknown, color('--color-edge'))],
      setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          if (width >= BRUSH_MIN) onChosen(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'))
        },
      ],
    },
  }
}

/** Colours of the theme as a canvas knows them: `light-dark()` is resolved. */
function inksOf(element: HTMLElement): (name: string) => string {
  return (name) => {
    element.style.color = `var(${name})`
    const found = getComputedStyle(element).color
    element.style.color = ''
    return found
  }
}

function hatch(plot: uPlot, [from, to]: readonly [number, number], color: string): void {
  const { ctx, bbox } = plot
  const left = Math.max(bbox.left, plot.valToPos(from, 'x', true))
  const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, 'x', true))
  if (right <= left) return
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, bbox.top, right - left, bbox.height)
  ctx.clip()
  ctx.strokeStyle = color
  ctx.lineWidth = uPlot.pxRatio
  ctx.beginPath()
  const step = HATCH_STEP * uPlot.pxRatio
  for (let x = left - bbox.height; x < right; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height)
    ctx.lineTo(x + bbox.height, bbox.top)
  }
  ctx.stroke()
  ctx.restore()
}

/** A number that changes with the theme: what is drawn with colours of its own is drawn anew. */
function useThemeTurn(): number {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const next = (): void => setTurn((before) => before + 1)
    const system = matchMedia('(prefers-color-scheme: dark)')
    const chosen = new MutationObserver(next)
    system.addEventListener('change', next)
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      system.removeEventListener('change', next)
      chosen.disconnect()
    }
  }, [])
  return turn
}
