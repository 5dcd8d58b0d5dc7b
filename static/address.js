// A page that answers a form has an address of its own (`data-address`): with it in the bar, a
// reload asks for that page instead of sending the form again.

const { address } = document.querySelector('main').dataset;
if (address !== location.pathname) history.replaceState(null, '', address);
