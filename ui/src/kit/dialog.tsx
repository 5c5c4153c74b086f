import { X } from 'lucide-react'
import { type ReactNode, useId, useLayoutEffect, useRef } from 'react'
import { IconButton } from './button.tsx'
import { classes } from './classes.ts'

interface DialogProps {
  readonly title: string
  /** Told when the person leaves the dialog: by Escape, by the button or by a press outside. */
  readonly onClose: () => void
  readonly children: ReactNode
  /** `side`: a drawer at the right; on a narrow screen each dialog takes the page. */
  readonly shape?: 'middle' | 'wide' | 'full' | 'side'
  /** Closing needs the button: what the dialog shows cannot be shown again. */
  readonly isGuarded?: boolean
}

const SHAPES = {
  middle: 'm-auto w-full max-w-140 rounded-md max-h-[85dvh]',
  wide: 'm-auto w-full max-w-220 rounded-md max-h-[90dvh]',
  full: 'm-auto w-full max-w-320 rounded-md max-h-[94dvh]',
  side: 'my-0 mr-0 ml-auto h-dvh max-h-dvh w-full max-w-180 rounded-none',
}

/** A modal dialog of the platform: the rest of the page is inert, Escape closes it, focus returns where it was. */
export function Dialog({ title, onClose, children, shape = 'middle', isGuarded = false }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  // Closed before it leaves the page: only then the platform gives the focus back
  useLayoutEffect(() => {
    const dialog = ref.current
    dialog?.showModal()
    // Not the button that closes it, if something in it is meant
    dialog?.querySelector<HTMLElement>('[data-autofocus]')?.focus()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        if (!isGuarded) onClose()
      }}
      onClick={(event) => {
        if (event.target === ref.current && !isGuarded) onClose()
      }}
      // A form around the dialog is not the one that is sent
      onSubmit={(event) => event.stopPropagation()}
      className={classes('flex-col bg-page text-text shadow-float open:flex', SHAPES[shape])}
    >
      <header className="flex shrink-0 items-center justify-between gap-2 border-b border-line px-4 py-2">
        <h2 id={titleId} className="text-md font-semibold">
          {title}
        </h2>
        {!isGuarded && <IconButton icon={X} label="Close" onClick={onClose} />}
      </header>
      <div className="min-h-0 flex-1 overflow-auto p-4">{children}</div>
    </dialog>
  )
}
