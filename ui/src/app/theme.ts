const KEY = 'postern-theme'
export type Theme = 'system' | 'light' | 'dark'

export function theme(): Theme {
  const value = localStorage.getItem(KEY)
  return value === 'light' || value === 'dark' ? value : 'system'
}

/** Colours follow the system unless a person chooses: `light-dark()` in the style sheet reads this attribute. */
export function setTheme(next: Theme): void {
  if (next === 'system') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, next)
  applyTheme()
}

export function applyTheme(): void {
  const value = theme()
  if (value === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = value
}
