// Mails of older versions lead to a place in the list; an alert that is not in it has a page.
(() => {
  const found = /^#alert-(\d+)$/.exec(location.hash);
  if (found && !document.getElementById(location.hash.slice(1))) {
    location.replace(document.body.dataset.root + "/alerts/" + found[1]);
  }
})();
