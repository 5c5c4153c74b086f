import { X } from 'lucide-react'
import { type ReactNode, useCallback, useId, useLayoutEffect, useRef } from 'react'
import { Button, IconButton } from './controls.tsx'
import { ask, DialogGuards, type Question, useAsked } from './leave-guard.ts'
import { classes } from './style.ts'

interface DialogProps {
  readonly title: string
  /** Told when the person leaves the dialog: by Escape, by the button or by a press outside. */
  readonly onClose: () => void
  readonly children: ReactNode
  /** `side`: a drawer at the right; on a narrow screen each dialog takes the page. */
  readonly shape?: 'middle' | 'wide' | 'full' | 'side'
}

const SHAPES = {
  middle: 'm-auto w-full max-w-140 rounded-md max-h-[85dvh]',
  wide: 'm-auto w-full max-w-220 rounded-md max-h-[90dvh]',
  full: 'm-auto w-full max-w-320 rounded-md max-h-[94dvh]',
  side: 'my-0 mr-0 ml-auto h-dvh max-h-dvh w-full max-w-180 rounded-none',
}

/** Dialogs that are open, the one on top last. */
const open: HTMLDialogElement[] = []

/**
 * A modal dialog of the platform: the rest of the page is inert, Escape closes it, focus returns where it was. If something in it is
 * guarded (`useLeaveGuard`), closing asks first.
 */
export function Dialog({ title, onClose, children, shape = 'middle' }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  const guards = useRef<readonly Question[]>([])
  const guard = useCallback((question: Question) => {
    guards.current = [...guards.current, question]
    return () => {
      // Another guard may have the same question
      guards.current = guards.current.toSpliced(guards.current.lastIndexOf(question), 1)
    }
  }, [])
  const close = (): void => {
    const question = guards.current.at(-1)
    if (question === undefined) onClose()
    else void ask(question).then((isYes) => isYes && onClose())
  }
  const closeNow = useRef(close)
  closeNow.current = close
  // Closed before it leaves the page: only then the platform gives the focus back
  useLayoutEffect(() => {
    const dialog = ref.current!
    dialog.showModal()
    open.push(dialog)
    // Not the button that closes it, if something in it is meant
    dialog.querySelector<HTMLElement>('[data-autofocus]')?.focus()
    // Browsers let a page prevent only one Escape in a row, so the key itself is taken, wherever the focus is
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || open.at(-1) !== dialog) return
      event.preventDefault()
      closeNow.current()
    }
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('keydown', onKey)
      open.splice(open.indexOf(dialog), 1)
      dialog.close()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      // By other means than the key, such as a gesture. File choosers within tell it, too
      onCancel={(event) => {
        if (event.target !== ref.current) return
        event.preventDefault()
        close()
      }}
      onClick={(event) => {
        if (event.target === ref.current) close()
      }}
      // A form around the dialog is not the one that is sent
      onSubmit={(event) => event.stopPropagation()}
      className={classes('flex-col bg-page text-text shadow-float open:flex', SHAPES[shape])}
    >
      <header className="flex shrink-0 items-center justify-between gap-2 border-b border-line px-4 py-2">
        <h2 id={titleId} className="text-md font-semibold">
          {title}
        </h2>
        <IconButton icon={X} label="Close" onClick={close} />
      </header>
      <div className="min-h-0 flex-1 overflow-auto p-4">
        <DialogGuards value={guard}>{children}</DialogGuards>
      </div>
    </dialog>
  )
}

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
