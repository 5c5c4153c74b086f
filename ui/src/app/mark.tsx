/** The mark of Postern: a small arched door in a wall, ajar. The favicon has the same shape (`icon.svg`). */
export function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true" className="shrink-0 text-accent">
      <path d={WALL} fill="currentColor" fillRule="evenodd" />
      <path d={DOOR} fill="currentColor" fillRule="evenodd" opacity="0.55" />
    </svg>
  )
}

/** A wall with an arched opening. */
const WALL = 'M7 2h18a5 5 0 0 1 5 5v23h-6V16a8 8 0 0 0-16 0v14H2V7a5 5 0 0 1 5-5z'
/** The door in it, turned away from the one who looks: its handle is a hole. */
const DOOR = 'M11 30V16a5 5 0 0 1 5-5l4 2.2V30zm5.6-9.5a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z'
