import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { IconButton } from './button.tsx'

const SHOWN_MS = 1500

/** Copies a text to the clipboard, and says so for a moment. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), SHOWN_MS)
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
