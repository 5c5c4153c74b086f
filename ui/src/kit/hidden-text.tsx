import { hiddenCount, partsOf, tagText } from './hidden-characters.ts'

/** A text with the characters shown that cannot be seen. */
export function HiddenText({ text }: { text: string }) {
  return partsOf(text).map(({ text: part, hidden }, index) =>
    hidden === null ? (
      part
    ) : (
      <mark
        key={index}
        title="A character that cannot be seen"
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
      {count === 1 ? 'One character' : `${count} characters`} of this text cannot be seen.
      {spelled !== '' && (
        <>
          {' '}
          They spell: <code className="break-all">{spelled}</code>
        </>
      )}
    </p>
  )
}
