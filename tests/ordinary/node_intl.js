// Languages, time zones and text.
const day = new Date(Date.UTC(2024, 6, 1, 12))
const tokyo = day.toLocaleTimeString('en-GB', { timeZone: 'Asia/Tokyo' })
const money = new Intl.NumberFormat('de-DE', { style: 'currency', currency: 'EUR' }).format(1234.5)
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
console.log(tokyo === '21:00:00' && money === '1.234,50\u00a0€' && zone === 'UTC' && day.getHours() === 12 ? 'ok' : [tokyo, money, zone])
