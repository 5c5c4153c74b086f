import type { LucideIcon } from 'lucide-react'
import type { ComponentProps } from 'react'
import { classes } from './classes.ts'

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
