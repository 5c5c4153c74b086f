/** Buttons and inputs. */
import type { LucideIcon } from 'lucide-react'
import type { ComponentProps, ReactNode } from 'react'
import { classes } from './style.ts'

export type Tone = 'primary' | 'plain' | 'quiet' | 'danger'

const TONES: Readonly<Record<Tone, string>> = {
  primary: 'bg-accent text-on-accent border-accent hover:opacity-90',
  plain: 'bg-page text-text border-edge hover:bg-raised',
  quiet: 'bg-transparent text-muted border-transparent hover:bg-sunken hover:text-text',
  danger: 'bg-page text-bad border-bad hover:bg-bad-soft',
}
const SHAPE =
  'target inline-flex items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap disabled:opacity-50 no-underline'

/** Classes of a link that looks like a button. */
export function buttonClasses(tone: Tone = 'plain', isSmall = false): string {
  return classes(SHAPE, TONES[tone], isSmall ? 'h-7 px-2 text-sm' : 'h-8 px-3')
}

interface ButtonProps extends ComponentProps<'button'> {
  readonly tone?: Tone
  readonly icon?: LucideIcon
  readonly isSmall?: boolean
  /** Work is under way: a second press does nothing. */
  readonly isBusy?: boolean
}

export function Button({
  tone = 'plain',
  icon: Icon,
  isSmall = false,
  isBusy = false,
  className,
  children,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      aria-busy={isBusy || undefined}
      {...rest}
      disabled={rest.disabled === true || isBusy}
      className={classes(buttonClasses(tone, isSmall), className)}
    >
      {Icon !== undefined && <Icon size={16} aria-hidden="true" />}
      {children}
    </button>
  )
}

interface IconButtonProps extends ComponentProps<'button'> {
  readonly icon: LucideIcon
  /** What the button does: its name for people who do not see the icon, and its tooltip. */
  readonly label: string
}

export function IconButton({ icon: Icon, label, className, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={classes(
        'target-square inline-flex size-7 items-center justify-center rounded-md text-muted hover:bg-sunken hover:text-text disabled:opacity-50',
        className,
      )}
    >
      <Icon size={16} aria-hidden="true" />
    </button>
  )
}

const BOX =
  'rounded-md border border-edge bg-page px-2 text-text disabled:bg-raised disabled:text-muted aria-invalid:border-bad'

/** All of the width, unless the caller gives one. */
function widthFor(className = ''): string {
  return /(?:^|\s)w-/.test(className) ? '' : 'w-full'
}

export function TextInput({ className, ...rest }: ComponentProps<'input'>) {
  return (
    <input
      type="text"
      autoComplete="off"
      spellCheck={false}
      {...rest}
      className={classes(BOX, widthFor(className), 'h-8', className)}
    />
  )
}

export function TextArea({ className, ...rest }: ComponentProps<'textarea'>) {
  return (
    <textarea
      rows={3}
      spellCheck={false}
      {...rest}
      className={classes(BOX, widthFor(className), 'py-1.5', className)}
    />
  )
}

export function Select({ className, children, ...rest }: ComponentProps<'select'>) {
  return (
    <select {...rest} className={classes(BOX, widthFor(className), 'h-8', className)}>
      {children}
    </select>
  )
}

export function Checkbox({
  label,
  hint,
  ...rest
}: ComponentProps<'input'> & { readonly label: ReactNode; readonly hint?: string }) {
  return (
    <label className="flex items-start gap-2 py-1">
      <input type="checkbox" {...rest} className="mt-0.5 size-4 shrink-0 accent-accent" />
      <span>
        {label}
        {hint !== undefined && hint !== '' && <span className="block text-sm text-muted">{hint}</span>}
      </span>
    </label>
  )
}

interface LabeledProps {
  readonly id: string
  readonly label: string
  readonly hint?: string
  readonly error?: string | null
  readonly isRequired?: boolean
  readonly isChanged?: boolean
  readonly aside?: ReactNode
  readonly children: ReactNode
}

/** A label, its input, a hint and the error of the field. The input names `{id}-hint` and `{id}-error` as its description. */
export function Labeled({
  id,
  label,
  hint = '',
  error = null,
  isRequired = false,
  isChanged = false,
  aside,
  children,
}: LabeledProps) {
  return (
    <div className="flex flex-col gap-1">
      <div className="flex items-baseline justify-between gap-2">
        <label htmlFor={id} className="font-medium">
          {label}
          {isRequired && <span className="text-muted"> (required)</span>}
          {isChanged && <span className="ml-2 text-xs text-accent">changed</span>}
        </label>
        {aside}
      </div>
      {children}
      {hint !== '' && (
        <p id={`${id}-hint`} className="text-sm break-words text-muted">
          {hint}
        </p>
      )}
      {error !== null && (
        <p id={`${id}-error`} className="text-sm break-words text-bad">
          {error}
        </p>
      )}
    </div>
  )
}

/** Ids that describe an input inside {@link Labeled}. */
export function describedBy(id: string, hint: string, error: string | null): string | undefined {
  const ids = [hint !== '' && `${id}-hint`, error !== null && `${id}-error`].filter(Boolean)
  return ids.length > 0 ? ids.join(' ') : undefined
}
