import { useAsked } from './ask.ts'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

/** The dialog of the question that is open. Escape, and a press outside, answer no. */
export function Questions() {
  const asked = useAsked()
  if (asked === null) return null
  const { title, text, yes, no, answer } = asked
  return (
    <Dialog title={title} onClose={() => answer(false)}>
      <p>{text}</p>
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Button tone="danger" onClick={() => answer(true)}>
          {yes}
        </Button>
        <Button tone="primary" data-autofocus="" onClick={() => answer(false)}>
          {no}
        </Button>
      </div>
    </Dialog>
  )
}
