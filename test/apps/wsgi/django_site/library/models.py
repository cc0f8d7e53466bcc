from django.db import models


class Book(models.Model):
    title = models.CharField(max_length=200)
    year = models.IntegerField()

    class Meta:
        ordering = ["year"]

    def __str__(self):
        return self.title
