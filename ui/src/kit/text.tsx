/** Texts as people read them: times, characters that cannot be seen, and what is copied. */

import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { IconButton } from './controls.tsx'
import { hiddenCount, partsOf, tagText } from './hidden-characters.ts'

/** A time as people say it, with the exact time as its title. */
export function Time({ value, now = Date.now() }: { value: string; now?: number }) {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <span>{value}</span>
  return (
    <time dateTime={value} title={value} className="whitespace-nowrap tabular-nums">
      {agoOf(date.getTime(), now)}
    </time>
  )
}

const UNITS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]
const DAYS_MAX = 14
const FORMAT = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })

/** `3 min. ago`, `in 2 days`, and the date if it is more than two weeks away. Milliseconds since 1970. */
function agoOf(time: number, now: number): string {
  const distance = time - now
  if (Math.abs(distance) > DAYS_MAX * 86_400_000) return new Date(time).toISOString().slice(0, 10)
  const [unit, ms] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? UNITS.at(-1)!
  return FORMAT.format(Math.round(distance / ms), unit)
}

/** `5 s`, `3 min` or `2 h`: an age in whole units. @param ms milliseconds */
export function ageOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}

/** An exact time in UTC: `2026-11-24 20:53:37`. The column or term beside it says UTC. */
export function Moment({ value }: { value: string }) {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <span>{value}</span>
  return (
    <time dateTime={value} title={value} className="font-mono text-sm whitespace-nowrap">
      {date.toISOString().slice(0, 19).replace('T', ' ')}
    </time>
  )
}

/** A text with the characters shown that cannot be seen. */
export function HiddenText({ text }: { text: string }) {
  return partsOf(text).map(({ text: part, hidden }, index) =>
    hidden === null ? (
      part
    ) : (
      <mark
        key={index}
        title="Invisible character"
        className="mx-px rounded-md border border-bad bg-bad-soft px-1 text-xs text-bad"
      >
        {hidden}
      </mark>
    ),
  )
}

/** Says how many characters of a text cannot be seen, and what tag characters spell. Nothing if there are none. */
export function HiddenNote({ text }: { text: string }) {
  const count = hiddenCount(text)
  if (count === 0) return null
  const spelled = tagText(text)
  return (
    <p className="text-sm text-bad">
      {count === 1 ? 'One character of this text is' : `${count} characters of this text are`} invisible.
      {spelled !== '' && (
        <>
          {' '}
          They spell: <code className="break-all">{spelled}</code>
        </>
      )}
    </p>
  )
}

const COPIED_MS = 1500

/** Copies a text to the clipboard, and says so for a moment. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), COPIED_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  return (
    <>
      <IconButton
        icon={isCopied ? Check : Copy}
        label={label}
        onClick={() =>
          navigator.clipboard.writeText(text).then(
            () => setCopied(true),
            () => setCopied(false),
          )
        }
      />
      <span role="status" className="sr-only">
        {isCopied ? 'Copied' : ''}
      </span>
    </>
  )
}

interface CodeBlockProps {
  readonly text: string
  readonly label: string
  /** Characters that are shown. The button copies all. */
  readonly shownMax?: number
}

/** Text as a program writes or reads it, with a button that copies it. */
export function CodeBlock({ text, label, shownMax = Number.POSITIVE_INFINITY }: CodeBlockProps) {
  return (
    <div className="relative rounded-md border border-line bg-raised">
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className="max-h-96 overflow-auto p-3 pr-10 whitespace-pre-wrap break-all"
      >
        {text.length > shownMax ? `${text.slice(0, shownMax)} …` : text}
      </pre>
      <div className="absolute top-1 right-1">
        <CopyButton text={text} label={`Copy: ${label}`} />
      </div>
    </div>
  )
}
